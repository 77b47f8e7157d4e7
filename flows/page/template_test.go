package page

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

func TestTemplateOverride(t *testing.T) {
	r := renderer(t, Options{Title: "Example & Sons", Templates: fstest.MapFS{
		"signedout.html": {Data: []byte(`{{define "title"}}Bye{{end}}{{define "content"}}<h1>Bye, {{.Page.Site}}, says {{.Brand}}</h1>{{end}}`)},
	}})
	rec := get(t, func(w http.ResponseWriter, q *http.Request) { r.SignedOut(w, q, 200, SignedOut{Site: "<b>"}) })
	if !strings.Contains(rec.Body.String(), "<h1>Bye, &lt;b&gt;, says Example &amp; Sons</h1>") {
		t.Error(rec.Body.String())
	}
	rec = get(t, func(w http.ResponseWriter, q *http.Request) { r.SignOut(w, q, 200, SignOut{}) })
	if !strings.Contains(rec.Body.String(), "<h1>Sign out") {
		t.Error("a template that was not replaced is gone")
	}
}

func TestTemplateMistakes(t *testing.T) {
	file := func(name, text string) Options {
		return Options{Templates: fstest.MapFS{name: {Data: []byte(text)}}}
	}
	for name, o := range map[string]Options{
		"misspelt name":   file("sign-in.html", ""),
		"syntax":          file("signin.html", "{{define"),
		"unknown field":   file("signin.html", `{{define "title"}}{{end}}{{define "content"}}{{.Page.Sit}}{{end}}`),
		"field in branch": file("home.html", `{{define "title"}}{{end}}{{define "content"}}{{range .Page.Sessions}}{{.No}}{{end}}{{end}}`),
		"no content":      file("fault.html", `{{define "title"}}x{{end}}`),
		"style end":       {CSS: "</STYLE><script>"},
		"NUL":             {CSS: "a\x00"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := New(o); !errors.Is(err, ErrTemplate) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// A template may fail on data that the trial did not have.
func TestTemplateFailure(t *testing.T) {
	r := renderer(t, Options{Templates: fstest.MapFS{
		"fault.html": {Data: []byte(`{{define "title"}}x{{end}}{{define "content"}}half{{if eq .Page.Title "boom"}}{{index .Page.Title 99}}{{end}}{{end}}`)},
	}})
	rec := get(t, func(w http.ResponseWriter, q *http.Request) { r.Fault(w, q, 403, Fault{Title: "boom"}) })
	if rec.Code != http.StatusInternalServerError || strings.Contains(rec.Body.String(), "half") {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	if ct := rec.Header().Get("Content-Type"); ct != "text/plain; charset=utf-8" {
		t.Error(ct)
	}
	if rec.Header().Get("Cache-Control") != "no-store" {
		t.Error("a failure is stored")
	}
}

// An operator hears that what a template was made from has changed, and of nothing else.
func TestTemplate_ThatIsOutdated(t *testing.T) {
	originals, err := Originals()
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		text string
		want bool
	}{
		{originals["fault.html"], false},
		{strings.Replace(originals["fault.html"], "Something", "Anything", 1), false},
		{strings.SplitAfterN(originals["fault.html"], "\n", 2)[1], false},
		{"{{/* made from fault.html 0123456789ab */}}" + originals["fault.html"], true},
	} {
		var log bytes.Buffer
		renderer(t, Options{Templates: fstest.MapFS{"fault.html": {Data: []byte(tc.text)}}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if got := strings.Contains(log.String(), "template=fault.html"); got != tc.want {
			t.Errorf("%.60q: %s", tc.text, log.String())
		}
	}
}

// What stands at the foot of the pages cannot lead anywhere but to pages and mailboxes.
func TestFoot(t *testing.T) {
	r := renderer(t, Options{Links: []FootLink{{"Terms & more", "https://www.example.com/terms?a=1&b=2"}}, Contact: "help@example.com"})
	every(t, r, http.MethodGet, "alice", func(page string, rec *httptest.ResponseRecorder) {
		body := rec.Body.String()
		if !strings.Contains(body, `href="https://www.example.com/terms?a=1&amp;b=2">Terms &amp; more</a>`) || !strings.Contains(body, `href="mailto:help@example.com">help@example.com</a>`) {
			t.Errorf("%s has no foot", page)
		}
	})
	for _, o := range []Options{
		{Contact: "javascript:alert(1)"},
		{Contact: "tel:+1"},
		{Contact: "nobody"},
		{Contact: "https:"},
		{Contact: strings.Repeat("a", 1<<20) + "@example.com"},
		{Links: []FootLink{{"Terms", "javascript:alert(1)"}}},
		{Links: []FootLink{{"", "https://www.example.com"}}},
		{Links: []FootLink{{"Terms", "/terms"}}},
		{Links: make([]FootLink, MaxLinks+1)},
		{Lang: "no language"},
		{CSS: strings.Repeat(" ", MaxCSS+1)},
	} {
		if _, err := New(o); !errors.Is(err, ErrTemplate) || len(err.Error()) > 1000 {
			t.Errorf("%.80v: %v", o, err)
		}
	}
}
