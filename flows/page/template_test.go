package page

import (
	"errors"
	"net/http"
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
