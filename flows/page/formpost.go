package page

import (
	"html/template"
	"net/http"
	"net/url"
	"slices"
)

// FormPost sends an answer to a client by a form (OAuth 2.0 Form Post Response Mode).
// It goes on by itself, or by its button where scripts do not run.
type FormPost struct {
	// Site where the browser goes, a name for people.
	Site string
	// URL that takes the form: http or https, else the page leads nowhere.
	URL string
	// Answer that the form holds.
	Answer url.Values
}

// submitScript sends the form: the only script of all pages, which their policy allows
// by its hash.
const submitScript = "document.forms[0].submit()"

type formPostView struct {
	Site   string
	Action template.URL
	Fields []Field
	Script template.JS
}

func (p FormPost) view() formPostView {
	v := formPostView{Site: line(p.Site, maxHost), Script: submitScript}
	if formTarget(p.URL) == "" || len(p.URL) > MaxURL {
		return v
	}
	v.Action = template.URL(escape(p.URL)) //nolint:gosec // http or https
	for name, values := range p.Answer {
		for _, value := range values {
			v.Fields = append(v.Fields, Field{Name: name, Value: value})
		}
	}
	slices.SortFunc(v.Fields, func(a, b Field) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return v
}

// formPostPolicy is that of the other pages with a form, with the script.
func (r *Renderer) formPostPolicy() string {
	return "default-src 'none'; style-src " + r.styleHash + "; script-src " + hashSource(submitScript) +
		"; img-src data:; base-uri 'none'"
}

// FormPost sends an answer to a client by a form. It may be in a frame, where clients
// ask silently (prompt=none); there is nothing on it to be tricked into.
func (r *Renderer) FormPost(w http.ResponseWriter, req *http.Request, status int, p FormPost) {
	r.write(w, req, status, formPost, p.view())
}
