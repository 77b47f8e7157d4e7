package oauth_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/integration/browser"
)

// person is somebody with a browser.
type person struct {
	*browser.Browser
	t    *testing.T
	w    *world
	name string
}

// alice has a browser without cookies.
func (w *world) alice(t *testing.T) *person { return w.person(t, "alice") }

func (w *world) person(t *testing.T, name string) *person {
	t.Helper()
	return &person{
		Browser: browser.New(t, browser.Options{Route: w.node.Route, RootCAs: w.node.RootCAs(), Learn: w.node.Secrets.Learn}),
		t:       t, w: w, name: name,
	}
}

func (p *person) password() string {
	if p.name == "bob" {
		return bobPassword
	}
	return alicePassword
}

// visit opens an address, signs in and consents where that is asked for, and
// returns what comes in the end.
func (p *person) visit(address string) *browser.Page {
	p.t.Helper()
	page := p.Open(address)
	for range 3 {
		switch {
		case has(page, "password"):
			page = p.Submit(page, p.Find(page, "password"), map[string]string{"username": p.name, "password": p.password()})
		case has(page, "request") && strings.HasSuffix(p.Find(page, "request").Action.Path, "/consent"):
			page = p.Submit(page, p.Find(page, "request"), map[string]string{"decision": "approve"})
		default:
			return page
		}
	}
	return page
}

// has reports whether a page of the issuer has a form with a field.
func has(page *browser.Page, field string) bool {
	for _, form := range page.Forms() {
		if slices.Contains(form.Fields, field) {
			return true
		}
	}
	return false
}

// redirected visits an address and returns the one of the client that the
// gateway sends the browser to, which is not opened.
func (p *person) redirected(address string) *url.URL {
	p.t.Helper()
	p.StopAt("/callback")
	defer p.StopAt("")
	page := p.visit(address)
	next := page.Next()
	if next == nil {
		p.t.Fatalf("the browser is sent nowhere:\n%s%s", page.Path(), page.Text())
	}
	return next
}

// approve answers a device's question at its verification address.
func (p *person) approve(address string) {
	p.t.Helper()
	page := p.visit(address)
	form := p.Find(page, "request")
	page = p.Submit(page, form, map[string]string{"decision": "approve"})
	if page.Status != http.StatusOK {
		p.t.Fatalf("approving answers %d:\n%s%s", page.Status, page.Path(), page.Text())
	}
}

// signOut goes to a client's end-session address, confirms where that is asked, and
// returns where the gateway sends the browser, or nil.
func (p *person) signOut(address string) *url.URL {
	p.t.Helper()
	p.StopAt("/goodbye")
	defer p.StopAt("")
	page := p.Open(address)
	if next := page.Next(); next != nil { // a hint of this browser's session
		return next
	}
	if page.Status != http.StatusOK || len(page.Forms()) != 1 {
		p.t.Fatalf("the sign-out page answers %d:\n%s%s", page.Status, page.Path(), page.Text())
	}
	return p.Submit(page, page.Forms()[0], nil).Next()
}

// signedIn reports whether the guarded API lets the browser in as it is.
func (p *person) signedIn() bool {
	p.t.Helper()
	page := p.Open(p.w.api + "/")
	return page.Status == http.StatusOK && strings.HasPrefix(page.URL.String(), p.w.api)
}
