package flows

import (
	"net/http"
	"net/url"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/flows/page"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// serveLogin begins a sign-in at a guarded site: …/login?return_to=…. With a
// portal the browser is sent there; otherwise the site signs people in itself.
func (g *Gateway) serveLogin(w http.ResponseWriter, r *web.Request) {
	at := g.issuerOf(r)
	query, ok := g.answers.PageQuery(w, r, at)
	if !ok {
		return
	}
	a := authRequest{
		Client: web.ClientOf(r.Host), ReturnTo: web.SafeReturnTo(query.Get("return_to")),
		Prompt: promptOf(query), Begun: g.Now().Unix(),
	}
	a.Own = a.Prompt == "select_account" // a link of our own pages
	g.chooseAfterSignOut(r, r.SiteIssuer(), &a)
	if g.wantProvider(&a, query.Get("provider")) {
		a.ProviderScope = g.scopesAsked(a.Provider, query.Get("scope"))
	}
	g.pick(&a, query.Get("pick"))
	g.takeStep(&a, query.Get("step"))
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
		if id != nil && g.fresh(&a, id) {
			web.SeeOther(w, r, a.ReturnTo)
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
func (g *Gateway) offer(w http.ResponseWriter, r *web.Request, at web.Issuer, a authRequest, name string) {
	if len(g.Providers) == 0 {
		g.nobodySignsIn(w, r)
		return
	}
	if name == "" {
		name = g.way(a)
	}
	redirect, ok := g.providers[name].(provider.Redirect)
	switch {
	case ok:
		g.toProvider(w, r, at, a, redirect)
	case a.Step != nil && len(a.Step.ACR) > 0 && g.asksPassword(a.Step.Provider):
		g.unmetPage(w, r, at, a) // a password is of no class
	default:
		g.signInPage(w, r, at, a, http.StatusOK, "", "")
	}
}

// signInPage shows the form, the providers, or both.
func (g *Gateway) signInPage(w http.ResponseWriter, r *web.Request, at web.Issuer, a authRequest, status int, username, message string) {
	if web.IsFramed(r.Request) {
		g.answers.Framed(w, r)
		return
	}
	sealed := g.sealRequest(at, a)
	p := page.SignIn{Site: g.clientTitle(at, a.Client), Username: username, Message: message, Providers: g.choices(r, at, a, sealed)}
	for _, known := range g.offered(a) {
		if _, ok := known.(provider.Password); ok {
			p.Action = at.Path + "login"
		}
	}
	if g.asksForAddress(a) {
		p.AddressAction = at.Path + "login"
	}
	if p.Action != "" || p.AddressAction != "" {
		p.Fields = []page.Field{{Name: "request", Value: sealed}, web.FormToken(g.Keyring, w, r.Request, at)}
	}
	g.Pages.SignIn(w, r.Request, status, p)
}

// nobodySignsIn is the page of a gateway that takes tokens of others alone.
func (g *Gateway) nobodySignsIn(w http.ResponseWriter, r *web.Request) {
	g.Pages.Fault(w, r.Request, http.StatusNotFound, page.Fault{
		Title: "Nobody signs in here", Message: web.HostName(r.Host) + " is for programs, which come with a token of their own.", Detail: "no_provider",
	})
}

// clientTitle is what a client is called in front of people, or a site.
func (g *Gateway) clientTitle(at web.Issuer, id string) string {
	if g.isSelfRegistered(id) {
		return g.agentPlace(at, id)
	}
	if c := g.Clients[id]; c != nil && c.Title != "" {
		return c.Title
	}
	return id
}

// signInURL is where a sealed request goes on at a provider.
func signInURL(at web.Issuer, name, sealed string) string {
	return at.Path + "signin?" + url.Values{"provider": {name}, "request": {sealed}}.Encode()
}

// serveSignIn goes on with a sign-in that has begun: the link of a provider's
// button on the sign-in page, or a second try.
func (g *Gateway) serveSignIn(w http.ResponseWriter, r *web.Request, at web.Issuer) {
	query, ok := g.answers.PageQuery(w, r, at)
	if !ok {
		return
	}
	a, err := g.openRequest(at, query.Get("request"))
	if err != nil {
		g.startOverFor(w, r, at, a, err.Error())
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
func (g *Gateway) resumeRequest(w http.ResponseWriter, r *web.Request, at web.Issuer, a authRequest) {
	c := g.clientOrSite(at, a.Client)
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

// noCookies is the one page for a browser that keeps no cookie; sending it
// round again would never end.
func (g *Gateway) noCookies(w http.ResponseWriter, r *web.Request, at web.Issuer) {
	g.Logger.InfoContext(r.Context(), "a browser that sends no cookie cannot sign in", "host", r.Host, "client_ip", r.ClientIP,
		"cure", "if it is everybody: no proxy may drop Cookie or Set-Cookie")
	g.Pages.Fault(w, r.Request, http.StatusBadRequest, page.Fault{
		Title: "Cookies are blocked",
		Message: "Signing in needs a cookie from " + web.HostName(at.Host) + ", and your browser did not send it back. " +
			"Allow cookies for this site, and finish the sign-in in the browser that you began it in, within ten minutes.",
		Detail: "cookie_missing", RetryURL: at.Beginning(), RetryLabel: "Start again",
	})
}
