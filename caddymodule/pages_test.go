package caddymodule

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/page"
)

// What the pages are made of is read when a configuration is loaded, and what is missing
// or wrong is refused then, with the option's name.
func TestPages_AreReadAtLoad(t *testing.T) {
	directory := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(directory, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const svg = `<svg xmlns="http://www.w3.org/2000/svg"/>`
	missing := filepath.Join(directory, "missing")
	for name, tc := range map[string]struct {
		config *PagesConfig
		want   string // "" is no error
	}{
		"none":              {nil, ""},
		"all":               {&PagesConfig{Title: "X", Logo: file("a.svg", svg), CSS: file("a.css", ":root { --radius: 0 }"), Templates: filepath.Dir(file("good/fault.html", `{{define "title"}}{{end}}{{define "content"}}{{.Page.Title}}{{end}}`)), Terms: "https://www.example.com"}, ""},
		"no logo":           {&PagesConfig{Logo: missing}, "logo: open "},
		"a directory":       {&PagesConfig{Logo: directory}, "logo: read "},
		"a logo of 10 MB":   {&PagesConfig{Logo: file("large.svg", svg+strings.Repeat(" ", 10<<20))}, "more than the 32768 bytes that are allowed"},
		"a logo of text":    {&PagesConfig{Logo: file("text.svg", "logo")}, "no SVG, PNG"},
		"no style":          {&PagesConfig{CSS: missing}, "css: open "},
		"a script as style": {&PagesConfig{CSS: file("x.css", "</style><script>")}, "custom CSS holds HTML"},
		"no templates":      {&PagesConfig{Templates: missing}, "listing templates"},
		"a wrong template":  {&PagesConfig{Templates: filepath.Dir(file("bad/fault.html", "{{define"))}, "parsing fault.html"},
		"no variable":       {&PagesConfig{Logo: "{env.GATEHOUSE_TEST_NONE}"}, "logo"},
	} {
		app := &App{Pages: tc.config, logger: slog.New(slog.DiscardHandler)}
		err := app.loadPages()
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
		if err == nil && app.pages == nil {
			t.Errorf("%s: no pages", name)
		}
	}
}

// A changed file is a changed configuration, which Caddy does not skip.
func TestPages_AChangedFileChangesTheDigest(t *testing.T) {
	directory := t.TempDir()
	c := &PagesConfig{Templates: directory}
	seen := map[string]bool{}
	for _, text := range []string{"", "a", "b"} {
		if text != "" {
			if err := os.WriteFile(filepath.Join(directory, "fault.html"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		digest := c.digest()
		if digest == "" || seen[digest] {
			t.Errorf("%q has the digest %q", text, digest)
		}
		seen[digest] = true
	}
	if digest := (&PagesConfig{Logo: filepath.Join(directory, "missing")}).digest(); digest != "" {
		t.Error("a missing file has a digest")
	}
}

// What `gatehouse pages` writes can be used as it is, and nothing is overwritten.
func TestPagesCommand(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "pages")
	if out, _, err := command("pages", directory); err != nil || !strings.Contains(out, "Keep those that you change.") {
		t.Fatal(out, err)
	}
	app := &App{Pages: &PagesConfig{Templates: directory}, logger: slog.New(slog.DiscardHandler)}
	if err := app.loadPages(); err != nil {
		t.Error(err)
	}
	if _, _, err := command("pages", directory); err == nil || !strings.Contains(err.Error(), "exists and is kept") {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(directory, "sign-in.html"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := app.loadPages(); !errors.Is(err, page.ErrTemplate) {
		t.Error(err)
	}
}
