package flows

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/guard"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/page"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// linkFreshness is how long ago a person who links a provider may have proved who they
// are: who finds an open browser must not be able to add a way in of their own.
const linkFreshness = guard.JustNow

// askedAgain is the parameter of the page of somebody who comes back from signing in once
// more for it.
const askedAgain = "again"

// linkRequest is about whom, and in which session, a provider is linked.
type linkRequest struct {
	Subject string `json:"s"`
	Session string `json:"i"`
}

// linkForm is what the page about a link carries, sealed.
type linkForm struct {
	Provider string `json:"p"`
	Scope    string `json:"o,omitempty"`
	ReturnTo string `json:"r,omitempty"`
	// Site that it is for, where ReturnTo does not say it.
	Site    string `json:"w,omitempty"`
	Session string `json:"e"`
	Begun   int64  `json:"t"`
	// Again: the person has signed in once more for this.
	Again bool `json:"a,omitempty"`
}

// serveLink is where a person who is signed in lets an identity at a further provider
// belong to the same subject. It asks first: only the form's POST, by the very session
// that was asked, begins.
func (g *Gateway) serveLink(w http.ResponseWriter, r *web.Request, at web.Issuer) {
	query, ok := g.answers.PageQuery(w, r, at)
	if !ok {
		return
	}
	id, ok := g.whoIsHere(w, r, at)
	if !ok {
		return
	}
	if r.Method == http.MethodPost {
		g.beginLink(w, r, at, id)
		return
	}
	form := linkForm{
		Provider: query.Get("provider"), Scope: g.scopesAsked(query.Get("provider"), query.Get("scope")),
		ReturnTo: g.linkReturn(at, query.Get("return_to")), Begun: g.Now().Unix(), Again: query.Get(askedAgain) == "1",
	}
	p, ok := g.providers[form.Provider].(provider.Redirect)
	switch {
	case !ok:
		g.answers.NotFound(w, r, at)
	case id == nil:
		g.offer(w, r, at, authRequest{Client: at.Host, ReturnTo: web.LinkPath(at, form.Provider, form.Scope, form.ReturnTo), Begun: g.Now().Unix()}, "")
	default:
		g.linkPage(w, r, at, id, p, form)
	}
}

func (g *Gateway) linkPage(w http.ResponseWriter, r *web.Request, at web.Issuer, id *identity.Identity, p provider.Redirect, form linkForm) {
	form.Session = id.SessionID.String()
	shown := page.Link{
		Provider: p.Title(), User: id.User, Scopes: strings.Fields(form.Scope), Action: at.Path + "link", CancelURL: at.Path,
		Fields: []page.Field{
			{Name: "request", Value: g.Keyring.SealString("link", []byte(at.ID()), marshal(form))},
			web.FormToken(g.Keyring, w, r.Request, at),
		},
	}
	if u, err := url.Parse(form.ReturnTo); err == nil && u.Host != "" {
		shown.Site = u.Hostname()
	}
	if continues(at, form.ReturnTo) {
		shown.Site, shown.CancelURL = form.Site, form.ReturnTo
	}
	g.Pages.Link(w, r.Request, http.StatusOK, shown)
}

// beginLink sends the person to the provider. Whose sign-in is not of just now signs in
// once more first, and is asked again.
func (g *Gateway) beginLink(w http.ResponseWriter, r *web.Request, at web.Issuer, id *identity.Identity) {
	if err := r.ParseForm(); err != nil {
		g.startOver(w, r, at, unreadForm)
		return
	}
	var form linkForm
	plain, err := g.Keyring.OpenString("link", []byte(at.ID()), r.PostForm.Get("request"))
	if err == nil {
		err = json.Unmarshal(plain, &form)
	}
	p, ok := g.providers[form.Provider].(provider.Redirect)
	// The person who answers must be the one who was asked.
	if err != nil || !ok || id == nil || form.Session != id.SessionID.String() || web.CheckForm(g.Keyring, r, at) != web.FormFine ||
		g.Now().Sub(time.Unix(form.Begun, 0)) > time.Hour {
		g.startOver(w, r, at, "the link of a provider is of another session, or of a page that is too old")
		return
	}
	a := authRequest{Client: at.Host, ReturnTo: form.ReturnTo, ProviderScope: form.Scope, Begun: g.Now().Unix()}
	if g.Now().Sub(g.provedAt(id)) > linkFreshness {
		g.proveFirst(w, r, at, id, a, form)
		return
	}
	if a.ReturnTo == "" {
		a.ReturnTo = at.Path
	}
	a.Prompt, a.Own = "select_account", true
	a.Link = &linkRequest{Subject: id.Subject, Session: id.SessionID.String()}
	g.toProvider(w, r, at, a, p)
}

// provedAt is when a person proved who they are. A session says nothing of that: the
// provider may have sent them back without a question. Where it does not tell (GitHub), the
// age of the sign-in here is all that there is.
func (g *Gateway) provedAt(id *identity.Identity) time.Time {
	if at, ok := id.Proved(nil, g.Now()); ok && !at.IsZero() {
		return at
	}
	return guard.SignInBegan(id)
}

// proveFirst has a person sign in once more, and leads back to the question. A provider
// that has just been asked, and says that they proved it long ago, is not asked again.
func (g *Gateway) proveFirst(w http.ResponseWriter, r *web.Request, at web.Issuer, id *identity.Identity, a authRequest, form linkForm) {
	if form.Again && g.Now().Sub(guard.SignInBegan(id)) <= linkFreshness {
		title, retry := g.answers.ProviderTitle(id.Provider), web.LinkPath(at, form.Provider, form.Scope, form.ReturnTo)
		if continues(at, form.ReturnTo) {
			retry = form.ReturnTo
		}
		g.Logger.WarnContext(r.Context(), "an identity was not linked: the provider of the sign-in passes prompt=login over", "provider", id.Provider, "user", id.User)
		g.Pages.Fault(w, r.Request, http.StatusForbidden, page.Fault{
			Title:   "Please prove that it's you",
			Message: "Connecting an account needs a sign-in of just now, and " + title + " let you in without asking. Sign out there, and then sign in here again. Nothing was connected.",
			Detail:  unmet, User: id.User, RetryURL: retry, RetryLabel: "Try again",
		})
		return
	}
	if continues(at, form.ReturnTo) {
		g.signInAgainToConnect(w, r, at, form, id)
		return
	}
	a.ReturnTo = web.LinkPath(at, form.Provider, form.Scope, form.ReturnTo) + "&" + askedAgain + "=1"
	a.ProviderScope, a.Prompt, a.Own = "", "login", true
	g.offer(w, r, at, a, id.Provider)
}

// linkReturn is where a person comes back to who was sent here from a site: an address
// of one of our sites, else "".
func (g *Gateway) linkReturn(at web.Issuer, raw string) string {
	u, err := url.Parse(raw)
	if err != nil || raw == "" || u.User != nil || u.Fragment != "" || len(raw) > maxLinkReturn+maxOrigin {
		return ""
	}
	path := web.SafeReturnTo(u.RequestURI())
	if u.Scheme == "" && u.Host == "" {
		if at.IsPortal {
			return ""
		}
		return web.SafeReturnTo(raw)
	}
	origin := u.Scheme + "://" + web.CanonicalHost(u.Scheme, u.Host)
	if !at.IsPortal && origin == at.Origin {
		return path
	}
	for _, s := range g.sites {
		if at.IsPortal && s.Matches(u.Scheme, u.Host) {
			return origin + path
		}
	}
	return ""
}

// maxLinkReturn is the longest path and query that a link returns to, in bytes: they
// travel within another address.
const maxLinkReturn = 1200

// maxOrigin is the longest origin of an address that is returned to, in bytes.
const maxOrigin = 300

// scopesAsked are those of the scopes that this configuration asks the provider for: a
// stranger's link cannot have a person asked for more.
func (g *Gateway) scopesAsked(name, scope string) string {
	if g.Vault == nil {
		return ""
	}
	known := g.Vault.Scopes(name)
	var asked []string
	for s := range strings.FieldsSeq(scope) {
		if slices.Contains(known, s) {
			asked = append(asked, s)
		}
	}
	return strings.Join(asked, " ")
}

// addGranted adds what the person has allowed at the provider already and this
// configuration still asks for, so that more scope comes on top of it. That it cannot
// be read now is no reason to ask for nothing.
func (g *Gateway) addGranted(r *web.Request, at web.Issuer, a *authRequest, name string) {
	if a.ProviderScope == "" || g.Vault == nil {
		return
	}
	id, err := g.signedIn(r, at)
	if err != nil || id == nil {
		return
	}
	kept, err := g.Vault.Get(r.Context(), id.Subject, name)
	if err != nil {
		return
	}
	have := strings.Fields(a.ProviderScope)
	for s := range strings.FieldsSeq(g.scopesAsked(name, kept.Scope)) {
		have = appendMissing(have, s)
	}
	a.ProviderScope = strings.Join(have, " ")
}

func appendMissing(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// errLinkTaken: another account of the provider is linked already.
var errLinkTaken = errors.New("another account of the provider is linked already")
