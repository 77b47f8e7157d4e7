package flows

import (
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/page"
	"github.com/gatehouse-auth/gatehouse/flows/web"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// needsConsent reports whether the person has to be asked first.
func (g *Gateway) needsConsent(r *web.Request, at web.Issuer, c *client.Client, a *authRequest, id *identity.Identity) (bool, error) {
	if a.Consented && a.Session == id.SessionID.String() { // whose own answer it was
		return false, nil
	}
	if a.asks("consent") {
		return true, nil
	}
	if c.FirstParty && (g.Clients[c.ID] == nil || c.IsAssured(a.RedirectURI)) {
		return false, nil
	}
	if isAskedEachTime(c, a) {
		return true, nil
	}
	given, err := g.Store.Consents(r.Context(), id.Subject)
	if err != nil {
		return false, err
	}
	for _, consent := range given {
		if consent.ClientID == c.ID {
			return !g.Scopes.Covers(consent.Scope, g.askedOf(at, c, a)), nil
		}
	}
	return true, nil
}

// consentPage asks, in plain words.
func (g *Gateway) consentPage(w http.ResponseWriter, r *web.Request, at web.Issuer, c *client.Client, a authRequest, id *identity.Identity) {
	a.Session, a.Document = id.SessionID.String(), c.Document
	p := page.Consent{
		Client: c.Title, ClientHost: answerHost(a.RedirectURI), User: id.User, Action: at.Path + "consent",
		Fields: []page.Field{{Name: "request", Value: g.sealRequest(at, a)}, web.FormToken(g.Keyring, w, r.Request, at)},
	}
	for _, s := range g.askedOf(at, c, &a) {
		if text := g.plainScope(s); text != "" {
			p.Scopes = append(p.Scopes, text)
		}
	}
	if c.SelfRegistered {
		p.SelfRegistered, p.OnDevice = true, !c.IsAssured(a.RedirectURI)
		if c.Document != "" {
			p.PublishedAt = documentHost(c.ID)
		}
		if p.Client == "" {
			p.Client = g.agentTitle(at, c.ID)
		}
	}
	g.Pages.Consent(w, r.Request, http.StatusOK, p)
}

// isAskedEachTime reports whether a consent that was given once does not count: whoever
// claims the scheme of an app, or listens on this device, gets what the client gets.
func isAskedEachTime(c *client.Client, a *authRequest) bool {
	return c.SelfRegistered && !c.IsAssured(a.RedirectURI)
}

// resourceConsent begins what stands for a resource among the scopes of a
// consent. No scope holds a space.
const resourceConsent = "resource "

// asked is what a person allows: the scopes, and the resources at which the
// client could act as that person. The issuer is none: that is where they are.
func asked(at web.Issuer, c *client.Client, scope string, resources []string) []string {
	all := strings.Fields(scope)
	for _, v := range audience(at, c, resources) {
		if v != at.ID() {
			all = append(all, resourceConsent+v)
		}
	}
	return all
}

// plainScope says what a scope means, or a resource; "" for what is no business of people.
func (g *Gateway) plainScope(scope string) string {
	if name, ok := client.ScopeProvider(scope); ok {
		return "Use " + g.answers.ProviderTitle(name) + " in your name, with your access there"
	}
	if resource, ok := strings.CutPrefix(scope, resourceConsent); ok {
		return "Act as you at " + plainResource(resource)
	}
	if token, ok := strings.CutPrefix(scope, tokenConsent); ok {
		name, resource, _ := strings.Cut(token, " ")
		return "Use " + g.answers.ProviderTitle(name) + " in your name through " + plainResource(resource) + ", with your access there"
	}
	if strings.HasPrefix(scope, documentConsent) || strings.HasPrefix(scope, answerConsent) {
		return ""
	}
	switch scope {
	case "openid":
		return "Confirm who you are"
	case "profile":
		return "See your name and user name"
	case "email":
		return "See your e-mail address"
	case "groups":
		return "See the groups that you belong to"
	case client.OfflineAccess:
		return "Keep its access while you're away"
	}
	if known, ok := g.Scopes[scope]; ok {
		return known.Words
	}
	return "Use “" + scope + "”"
}

// serveConsent takes the answer.
func (g *Gateway) serveConsent(w http.ResponseWriter, r *web.Request, at web.Issuer) {
	if err := r.ParseForm(); err != nil {
		g.startOver(w, r, at, unreadForm)
		return
	}
	a, err := g.openRequest(at, r.PostForm.Get("request"))
	id, ok := g.whoIsHere(w, r, at)
	if !ok {
		return
	}
	c := g.findClient(at, a.Client)
	// The person who answers must be the one who was asked.
	if err != nil || c == nil || id == nil || a.Session != id.SessionID.String() || web.CheckForm(g.Keyring, r, at) != web.FormFine {
		g.startOverFor(w, r, at, a, "the consent is of another session, of a page that is too old, or for a client that is gone")
		return
	}
	if r.PostForm.Get(page.FieldDecision) != page.Approve {
		g.refuseByPerson(w, r, at, a)
		return
	}
	c, fault := g.settle(r, at, c, &a, id)
	if fault != nil {
		g.cannotSettle(w, r, a, fault)
		return
	}
	if a.Document != c.Document { // it has changed since it was read for the page
		g.consentPage(w, r, at, c, a, id)
		return
	}
	if !isAskedEachTime(c, &a) {
		err = g.Store.SetConsent(r.Context(), tokenstore.Consent{Subject: id.Subject, ClientID: c.ID, Scope: g.mergedConsent(r, id.Subject, c, g.askedOf(at, c, &a))})
	}
	if err != nil {
		g.answers.Unavailable(w, r, err)
		return
	}
	a.Consented = true
	g.authorized(w, r, at, c, a, id, uuid.Nil)
}

// mergedConsent adds to what was allowed before.
func (g *Gateway) mergedConsent(r *web.Request, subject string, c *client.Client, merged []string) []string {
	given, err := g.Store.Consents(r.Context(), subject)
	if err != nil {
		return merged
	}
	for _, consent := range given {
		if consent.ClientID != c.ID || isOfOtherDocument(c, consent.Scope) {
			continue
		}
		for _, s := range consent.Scope {
			if !slices.Contains(merged, s) {
				merged = append(merged, s)
			}
		}
	}
	return merged
}
