package caddymodule

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
	"github.com/google/go-cmp/cmp"
)

// TestAdapt compares the Caddyfiles in testdata/adapt with what follows the
// line of dashes: the JSON that they become, or text that the error contains.
// UPDATE=1 writes the JSON anew.
func TestAdapt(t *testing.T) {
	files, err := filepath.Glob("testdata/adapt/*.caddyfiletest")
	if err != nil || len(files) == 0 {
		t.Fatalf("no test files (%v)", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".caddyfiletest"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			caddyfile, want, ok := strings.Cut(strings.ReplaceAll(string(text), "\r\n", "\n"), "----------\n")
			if !ok {
				t.Fatal("no line of dashes")
			}
			got, err := adapt(caddyfile)
			if err == nil && os.Getenv("UPDATE") == "1" {
				if err := os.WriteFile(file, []byte(caddyfile+"----------\n"+got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if !strings.HasPrefix(want, "{") {
				if err == nil {
					t.Fatalf("adapted, want an error that contains %q", want)
				}
				if !strings.Contains(err.Error(), strings.TrimSpace(want)) {
					t.Fatalf("error is\n%s\nwant it to contain\n%s", err, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// adapt makes indented JSON of a Caddyfile.
func adapt(caddyfile string) (string, error) {
	raw, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "\t"); err != nil {
		return "", err
	}
	return b.String() + "\n", nil
}
