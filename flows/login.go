package flows

import (
	"net/http"
	"net/url"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/flows/page"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

// serveLogin begins a sign-in at a guarded site: …/login?return_to=…. With a
// portal the browser is sent there; otherwise the site signs people in itself.
func (g *Gateway) serveLogin(w http.ResponseWriter, r *Request) {
	at := g.issuerOf(r)
	query, ok := g.pageQuery(w, r, at)
	if !ok {
		return
	}
	a := authRequest{
		Client: clientOf(r.Host), ReturnTo: safeReturnTo(query.Get("return_to")),
		Prompt: promptOf(query), Begun: g.Now().Unix(),
	}
	a.Own = a.Prompt == "select_account" // a link of our own pages
	g.chooseAfterSignOut(r, g.sitePlace(r), &a)
	g.wantProvider(&a, query.Get("provider"))
	if g.HasPortal() {
		g.toPortal(w, r, a)
		return
	}
	// Somebody who is signed in already has nothing to do here, unless they
	// want to be somebody else, or a provider's token is wanted.
	if a.Prompt == "" && a.Provider == "" {
		id, ok := g.whoIsHere(w, r, at)
		if !ok {
			return
		}
		if id != nil {
			seeOther(w, r, a.ReturnTo)
			return
		}
	}
	g.offer(w, r, at, a, "")
}

// promptOf is the prompt that a link of ours may ask for; a stranger's link
// cannot ask for more.
func promptOf(query url.Values) string {
	switch p := query.Get("prompt"); p {
	case "select_account", "login":
		return p
	}
	return ""
}

// offer goes on with a sign-in: straight to the provider when there is one to
// be sent to, else by way of a page.
func (g *Gateway) offer(w http.ResponseWriter, r *Request, at place, a authRequest, name string) {
	if name == "" {
		name = a.Provider
	}
	if name == "" && len(g.Providers) == 1 {
		name = g.Providers[0].Name()
	}
	if redirect, ok := g.providers[name].(provider.Redirect); ok {
		g.toProvider(w, r, at, a, redirect)
		return
	}
	g.signInPage(w, r, at, a, http.StatusOK, "", "")
}

// signInPage shows the form, the providers, or both.
func (g *Gateway) signInPage(w http.ResponseWriter, r *Request, at place, a authRequest, status int, username, message string) {
	sealed := g.sealRequest(at, a)
	p := page.SignIn{Site: a.Client, Username: username, Message: message}
	for _, known := range g.Providers {
		switch known.(type) {
		case provider.Password:
			p.Action = at.path + "login"
		case provider.Redirect:
			p.Providers = append(p.Providers, page.ProviderLink{
				Name: known.Name(), Title: known.Title(),
				URL: signInURL(at, known.Name(), sealed),
			})
		}
	}
	if p.Action != "" {
		p.Fields = []page.Field{{Name: "request", Value: sealed}, g.formToken(w, r.Request, at)}
	}
	g.Pages.SignIn(w, r.Request, status, p)
}

// signInURL is where a sealed request goes on at a provider.
func signInURL(at place, name, sealed string) string {
	return at.path + "signin?" + url.Values{"provider": {name}, "request": {sealed}}.Encode()
}

// serveSignIn goes on with a sign-in that has begun: the link of a provider's
// button on the sign-in page, or a second try.
func (g *Gateway) serveSignIn(w http.ResponseWriter, r *Request, at place) {
	query, ok := g.pageQuery(w, r, at)
	if !ok {
		return
	}
	a, err := g.openRequest(at, query.Get("request"))
	if err != nil {
		g.startOver(w, r, at)
		return
	}
	name := query.Get("provider")
	if name == "" {
		g.resumeRequest(w, r, at, a)
		return
	}
	redirect, ok := g.providers[name].(provider.Redirect)
	if !ok {
		g.signInPage(w, r, at, a, http.StatusNotFound, "", "That way to sign in is no longer offered. Please choose another.")
		return
	}
	g.toProvider(w, r, at, a, redirect)
}

// resumeRequest goes on where an answer said to try again. Somebody who was signed
// in by then is not asked for anything that they have given.
func (g *Gateway) resumeRequest(w http.ResponseWriter, r *Request, at place, a authRequest) {
	c := g.clientOrSite(a.Client)
	if a.RedirectURI == "" || a.Provider != "" || c == nil {
		g.offer(w, r, at, a, "")
		return
	}
	id, err := g.signedIn(r, at)
	switch {
	case err != nil:
		g.interrupted(w, r, at, a, uuid.Nil, err)
	case id != nil && g.fresh(&a, id):
		g.authorized(w, r, at, c, a, id, uuid.Nil)
	default:
		g.offer(w, r, at, a, "")
	}
}

// startOver is the page for a sign-in whose page is too old or not ours.
func (g *Gateway) startOver(w http.ResponseWriter, r *Request, at place) {
	g.Pages.Fault(w, r.Request, http.StatusBadRequest, page.Fault{
		Title:   "Please start again",
		Message: "This sign-in page has been open too long, or its address is incomplete.",
		Detail:  "invalid_request", RetryURL: g.beginning(at), RetryLabel: "Start again",
	})
}

// noCookies is the one page for a browser that keeps no cookie; sending it
// round again would never end.
func (g *Gateway) noCookies(w http.ResponseWriter, r *Request, at place) {
	g.Pages.Fault(w, r.Request, http.StatusBadRequest, page.Fault{
		Title: "Your browser did not keep our cookie",
		Message: "Signing in needs a cookie from " + hostName(at.host) + ", and your browser did not send it back. " +
			"Allow cookies for this site, and finish the sign-in in the browser that you began it in, within ten minutes.",
		Detail: "cookie_missing", RetryURL: g.beginning(at), RetryLabel: "Start again",
	})
}

// beginning is where a person starts over: the site itself, or the portal's
// own page.
func (g *Gateway) beginning(at place) string {
	if at.portal {
		return at.path
	}
	return "/"
}

// seeOther redirects by GET within the site (303, never 307: RFC 9700, section
// 4.12, since a 307 would post a password on).
func seeOther(w http.ResponseWriter, r *Request, location string) {
	noStore(w)
	h := w.Header()
	h.Set("Location", location)
	h.Set("Referrer-Policy", "same-origin")
	w.WriteHeader(http.StatusSeeOther)
}
