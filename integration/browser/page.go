package browser

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// Page is an answer.
type Page struct {
	Status int
	Header http.Header
	URL    *url.URL // after redirects
	Body   string
	Trail  []Hop // every request that led here, this one last
}

// Hop is one request on the way to a page.
type Hop struct {
	Method, URL string
	Status      int
	Cookies     []*http.Cookie
}

// Form is a form of a page.
type Form struct {
	Action *url.URL
	Method string
	Values url.Values // as the page filled them in
	Fields []string   // names, in the page's order
}

// Path is the trail for people, one request a line.
func (p *Page) Path() string {
	var text strings.Builder
	for _, hop := range p.Trail {
		_, _ = fmt.Fprintf(&text, "%d %s %s\n", hop.Status, hop.Method, hop.URL)
	}
	return text.String()
}

// Next is where the page sends the browser, by a redirect or, of older nodes, by a header
// "Refresh: 0; url=…"; nil: nowhere.
func (p *Page) Next() *url.URL {
	to := ""
	if p.Status >= 300 && p.Status <= 399 {
		to = p.Header.Get("Location")
	} else if _, address, found := strings.Cut(p.Header.Get("Refresh"), "url="); found {
		to = address
	}
	if to == "" {
		return nil
	}
	next, err := p.URL.Parse(to)
	if err != nil {
		return nil
	}
	return next
}

// Forms are the page's forms.
func (p *Page) Forms() []Form {
	root, err := html.Parse(strings.NewReader(p.Body))
	if err != nil {
		return nil
	}
	var forms []Form
	for node := range root.Descendants() {
		if node.Type == html.ElementNode && node.Data == "form" {
			forms = append(forms, p.form(node))
		}
	}
	return forms
}

// Links are the addresses that the page's anchors lead to, by their text.
func (p *Page) Links() map[string]string {
	root, err := html.Parse(strings.NewReader(p.Body))
	if err != nil {
		return nil
	}
	links := map[string]string{}
	for node := range root.Descendants() {
		if node.Type != html.ElementNode || node.Data != "a" {
			continue
		}
		if to, err := p.URL.Parse(attribute(node, "href")); err == nil {
			links[text(node)] = to.String()
		}
	}
	return links
}

// Text is what a person reads on the page, its white space folded.
func (p *Page) Text() string {
	root, err := html.Parse(strings.NewReader(p.Body))
	if err != nil {
		return p.Body
	}
	return text(root)
}

// Find returns the page's form that has a field of the given name.
func (b *Browser) Find(p *Page, field string) Form {
	b.t.Helper()
	for _, form := range p.Forms() {
		if slices.Contains(form.Fields, field) {
			return form
		}
	}
	b.t.Fatalf("no form with a field %q:\n%s%s", field, p.Path(), p.Text())
	return Form{}
}

// Submit fills in a form of a page and sends it.
func (b *Browser) Submit(p *Page, form Form, values map[string]string) *Page {
	b.t.Helper()
	for name, value := range values {
		form.Values.Set(name, value)
	}
	if form.Method == http.MethodGet {
		to := *form.Action
		to.RawQuery = form.Values.Encode()
		return b.Open(to.String())
	}
	return b.Post(form.Action.String(), Origin(p.URL), form.Values)
}

func (p *Page) form(node *html.Node) Form {
	form := Form{Method: http.MethodGet, Values: url.Values{}}
	if strings.EqualFold(attribute(node, "method"), http.MethodPost) {
		form.Method = http.MethodPost
	}
	form.Action, _ = p.URL.Parse(attribute(node, "action"))
	for child := range node.Descendants() {
		name := attribute(child, "name")
		if child.Type != html.ElementNode || name == "" {
			continue
		}
		switch child.Data {
		case "input", "select", "textarea":
			form.Fields = append(form.Fields, name)
			form.Values.Add(name, attribute(child, "value"))
		}
	}
	return form
}

func attribute(node *html.Node, name string) string {
	for _, a := range node.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func text(node *html.Node) string {
	var words []string
	for child := range node.Descendants() {
		if child.Type != html.TextNode {
			continue
		}
		if parent := child.Parent.Data; parent == "style" || parent == "script" {
			continue
		}
		words = append(words, strings.Fields(child.Data)...)
	}
	return strings.Join(words, " ")
}
