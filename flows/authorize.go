package flows

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/page"
	"github.com/gatehouse-auth/gatehouse/flows/registration"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// Limits on the parameters of an authorization request, in bytes. All together are
// held to what the pages can carry: see fits and fitsAnswer.
const (
	maxState       = 4096
	maxNonce       = 512
	maxRedirectURI = 2048
	maxHint        = 255
)

// authorizeParameters must not occur twice.
var authorizeParameters = []string{ //nolint:gochecknoglobals // a constant list
	"response_type", "client_id", "redirect_uri", "scope", "state", "nonce", "code_challenge", "code_challenge_method",
	"prompt", "max_age", "login_hint", "acr_values", "request", "request_uri", "response_mode", "dpop_jkt", "claims", "id_token_hint", "provider", "pick",
	"provider_scope", "step",
}

// unknownClient says that nobody registered a client here.
const unknownClient = "No client of that client_id is known here."

// authorizeFault is what is wrong with an authorization request. page tells
// that the redirect URI is not trusted, so the browser must not be sent there.
type authorizeFault struct {
	code, description string
	page              bool
}

// serveAuthorize is the authorization endpoint (RFC 6749, section 3.1).
func (g *Gateway) serveAuthorize(w http.ResponseWriter, r *web.Request, at web.Issuer) {
	query, err := authorizeQuery(r)
	if err != nil {
		g.malformedAuthorize(w, r, at, query, err, "a parameter cannot be read")
		return
	}
	if name := web.Repeated(query, authorizeParameters...); name != "" {
		g.malformedAuthorize(w, r, at, query, nil, "the parameter "+name+" occurs twice")
		return
	}
	c := g.clientOrSite(at, query.Get("client_id"))
	if c == nil {
		g.badAuthorize(w, r, unknownClient)
		return
	}
	jkt := ""
	if query.Has("request_uri") {
		w = g.reusable(w, r, at, query.Get("request_uri"))
		p, err := g.pulled(r, at, query)
		if errors.Is(err, cache.ErrUnavailable) {
			g.answers.Unfinished(w, r, err, pushedURL(at, query))
			return
		}
		if err != nil || p.Client != c.ID {
			g.badAuthorize(w, r, "The request_uri is unknown, has expired or was used already.")
			return
		}
		query, jkt = p.Params, p.JKT
	} else if mustPush(c) {
		g.badAuthorize(w, r, "This client must push its authorization requests (RFC 9126).")
		return
	}
	a, fault := g.parseAuthorize(at, c, query)
	switch {
	case fault != nil && fault.page:
		g.badAuthorize(w, r, fault.description)
		return
	case fault != nil:
		g.refuseClient(w, r, at, a, fault.code, fault.description)
		return
	}
	if a.JKT == "" {
		a.JKT = jkt
	}
	g.logLeftOut(r.Context(), c.ID, a.leftOut)
	g.authorize(w, r, at, c, a)
}

// logLeftOut says what a client asks for and is not given; the client sees only that
// the scope of its token is narrower.
func (g *Gateway) logLeftOut(ctx context.Context, clientID string, scope []string) {
	if len(scope) > 0 {
		g.Logger.InfoContext(ctx, "a client asks for scopes that it may not have; they are left out. Add them to the client's scopes if it should have them",
			"client_id", clientID, "left_out", strings.Join(scope, " "))
	}
}

// requestOf is whose a request is and where its answer goes, if that is the client's
// own address. A client with one need not name it (RFC 6749, section 3.1.2.3).
func requestOf(c *client.Client, query url.Values) authRequest {
	a := authRequest{Client: c.ID, RedirectURI: query.Get("redirect_uri")}
	if a.RedirectURI == "" && len(c.RedirectURIs) == 1 {
		a.RedirectURI, a.Implied = c.RedirectURIs[0], true
	}
	return a
}

// isRedirectURI reports whether a redirect URI is one of a client's.
func (g *Gateway) isRedirectURI(c *client.Client, uri string) bool {
	if len(uri) > maxRedirectURI {
		return false
	}
	switch {
	case isUnread(c): // what the document says is compared once somebody has signed in
		return registration.CheckRedirectURI(uri) == nil && !g.isOwnAddress(uri)
	case g.isOfSite(c):
		return g.isSite(c.ID, uri)
	}
	return c.AllowsRedirect(uri)
}

// clientOrSite finds a client, or the built-in one of a guarded site.
func (g *Gateway) clientOrSite(at web.Issuer, id string) *client.Client {
	if c := g.findClient(at, id); c != nil {
		return c
	}
	if id == "" || !g.HasPortal() {
		return nil
	}
	return &client.Client{ID: id, Title: id, Public: true, FirstParty: true, Scopes: []string{"openid"}, Grants: []string{client.GrantCode}, ResponseModes: []string{client.ModeQuery}}
}

// isOfSite reports whether a client is the built-in one of a guarded site.
func (g *Gateway) isOfSite(c *client.Client) bool {
	return !c.SelfRegistered && g.Clients[c.ID] == nil
}

// parseAuthorize judges the parameters. The redirect URI comes first: only when
// it is known to be the client's own may errors be sent there.
func (g *Gateway) parseAuthorize(at web.Issuer, c *client.Client, query url.Values) (authRequest, *authorizeFault) {
	a := requestOf(c, query)
	a.Nonce, a.Challenge = query.Get("nonce"), query.Get("code_challenge")
	a.JKT, a.Begun = query.Get("dpop_jkt"), g.Now().Unix()
	site := g.isOfSite(c)
	if !g.isRedirectURI(c, a.RedirectURI) {
		if name := g.plainSite(c.ID, a.RedirectURI); site && name != "" {
			return a, &authorizeFault{page: true, description: "The site " + name + " asks for its answer over plain http. " +
				"If a proxy in front of it ends TLS, its administrator must name that proxy in trusted_proxies."}
		}
		if site && !g.isSiteName(c.ID) {
			return a, &authorizeFault{page: true, description: unknownClient}
		}
		return a, &authorizeFault{page: true, description: "The address to return to (redirect_uri) is not one of the client's."}
	}
	mode, ok := c.AnswerMode(query.Get("response_mode"), a.RedirectURI)
	a.Mode = mode
	if fault := g.takeState(at, &a, query.Get("state")); fault != nil {
		return a, fault
	}
	if !ok {
		return a, &authorizeFault{code: "invalid_request", description: "the response_mode is not one of the client's"}
	}
	if site && query.Get("provider") != "" && !g.wantProvider(&a, query.Get("provider")) {
		return a, &authorizeFault{code: "invalid_request", description: "no such provider"}
	}
	if site {
		g.pick(&a, query.Get("pick"))
		a.ProviderScope = g.scopesAsked(a.Provider, query.Get("provider_scope"))
		g.takeStep(&a, query.Get("step"))
	}
	if fault := g.parseRest(at, c, query, &a); fault != nil {
		return a, fault
	}
	a.Own = site && a.asks("select_account") // what a site asks for is our own doing
	if !g.fits(at, a) {
		return a, &authorizeFault{code: "invalid_request", description: "the request is too large"}
	}
	return a, nil
}

func (g *Gateway) parseRest(at web.Issuer, c *client.Client, query url.Values, a *authRequest) *authorizeFault {
	bad := func(code, description string) *authorizeFault {
		return &authorizeFault{code: code, description: description}
	}
	switch {
	case query.Get("request") != "":
		return bad("request_not_supported", "request objects are not supported; push the request instead")
	case query.Get("response_type") == "":
		return bad("invalid_request", "response_type is missing")
	case query.Get("response_type") != "code":
		return bad("unsupported_response_type", "only the response type code is supported")
	case !c.Allows(client.GrantCode):
		return bad("unauthorized_client", "the client may not use authorization codes")
	case !query.Has("code_challenge") && (c.Public || query.Has("code_challenge_method")):
		return bad("invalid_request", "PKCE is required: code_challenge is missing (RFC 7636)")
	case query.Has("code_challenge") && query.Get("code_challenge_method") != "S256":
		return bad("invalid_request", "code_challenge_method must be S256")
	case query.Has("code_challenge") && !client.ValidChallenge(a.Challenge):
		return bad("invalid_request", "code_challenge is not one of S256")
	case len(a.Nonce) > maxNonce, len(query.Get("login_hint")) > maxHint, len(query.Get("acr_values")) > maxHint, len(a.JKT) > 64:
		return bad("invalid_request", "a parameter is too long")
	}
	c, resources, err := g.aimed(at, c, query["resource"])
	if err != nil {
		return bad("invalid_target", "a client that registered itself must ask for one resource")
	}
	scope, leftOut, err := c.PersonScope(query.Get("scope"))
	if err != nil {
		return bad("invalid_scope", "the scope is malformed, or the client may ask for nothing of it")
	}
	a.Scope, a.leftOut = strings.Join(scope, " "), leftOut
	if a.Resource, err = g.allowedResources(at, c, resources); err != nil {
		return bad("invalid_target", "the resource is malformed or exceeds what the client may ask for")
	}
	a.LoginHint = query.Get("login_hint")
	if a.Step == nil {
		a.ACRValues = query.Get("acr_values")
	}
	if fault := parsePrompt(query, a); fault != nil {
		return fault
	}
	if fault := g.parseHint(at, c, query.Get("id_token_hint"), a); fault != nil {
		return fault
	}
	if g.isOfSite(c) {
		return nil // a site says by its step what it demands
	}
	return parseClaims(query, a)
}

// authorize goes on with a request that is in order.
func (g *Gateway) authorize(w http.ResponseWriter, r *web.Request, at web.Issuer, c *client.Client, a authRequest) {
	id, err := g.signedIn(r, at)
	if err != nil && r.Method == http.MethodGet {
		g.answers.Unavailable(w, r, err)
		return
	}
	if err != nil {
		g.interrupted(w, r, at, a, uuid.Nil, err)
		return
	}
	if id != nil && a.Provider == "" && g.fresh(&a, id) {
		g.authorized(w, r, at, c, a, id, uuid.Nil)
		return
	}
	if a.asks("none") {
		g.refuseClient(w, r, at, a, "login_required", "nobody is signed in, or not recently enough")
		return
	}
	if id == nil {
		g.chooseAfterSignOut(r, at, &a)
	}
	g.offer(w, r, at, a, "")
}

// authorized gives the client its code, if policy allows and consent is given.
// pending is the flow that the sign-in went through, or uuid.Nil.
func (g *Gateway) authorized(w http.ResponseWriter, r *web.Request, at web.Issuer, c *client.Client, a authRequest, id *identity.Identity, pending uuid.UUID) {
	c, fault := g.settle(r, at, c, &a, id)
	if fault != nil {
		g.conclude(r, pending, a, id.Subject)
		g.cannotSettle(w, r, a, fault)
		return
	}
	var refusal *authorizeFault
	needed := false
	switch {
	case !g.mayUse(c, id):
		g.logRuledOut(r.Context(), "policy refuses a client", c.ID, id)
		g.answers.LogUnread(r, "the client's policy", &id.Claims)
		refusal = &authorizeFault{code: "access_denied", description: "this account may not use the application"}
	case a.Hint != "" && a.Hint != id.Subject:
		refusal = &authorizeFault{code: "login_required", description: "somebody else is signed in"}
	case !a.Consented && g.connects(w, r, at, a, id, pending):
		return
	default:
		var err error
		if needed, err = g.needsConsent(r, at, c, &a, id); err != nil {
			g.interrupted(w, r, at, a, pending, err)
			return
		}
		if needed && a.asks("none") {
			refusal = &authorizeFault{code: "consent_required", description: "the person has to be asked"}
		}
	}
	switch {
	case refusal != nil:
		g.conclude(r, pending, a, id.Subject)
		g.refuseClient(w, r, at, a, refusal.code, refusal.description)
	case needed:
		g.conclude(r, pending, a, id.Subject)
		g.consentPage(w, r, at, c, a, id)
	default:
		g.sendCode(w, r, at, a, id, pending)
	}
}

func (g *Gateway) errorAnswer(at web.Issuer, a authRequest, code, description string) url.Values {
	answer := url.Values{"error": {code}, "iss": {at.ID()}}
	if description != "" {
		answer.Set("error_description", description)
	}
	if a.State != "" {
		answer.Set("state", a.State)
	}
	return answer
}

// isSite reports whether a client is a guarded site and a redirect URI its own:
// ORIGIN/.gatehouse/callback, byte for byte.
func (g *Gateway) isSite(id, redirectURI string) bool {
	origin, ok := strings.CutSuffix(redirectURI, web.Prefix+"callback")
	if !ok {
		return false
	}
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || u.Scheme+"://"+web.CanonicalHost(u.Scheme, u.Host) != origin || web.ClientOf(u.Host) != id {
		return false
	}
	for _, p := range g.sites {
		if p.Matches(u.Scheme, u.Host) {
			return true
		}
	}
	return false
}

// isSiteName reports whether a client id is that of a guarded site.
func (g *Gateway) isSiteName(id string) bool {
	return slices.ContainsFunc(g.sites, func(p web.OriginPattern) bool { return p.HasName(id) })
}

// badAuthorize refuses a request on a page, where no address of the client's is known
// that could be trusted with an error.
func (g *Gateway) badAuthorize(w http.ResponseWriter, r *web.Request, message string) {
	claimed := r.URL.Query()
	maps.Copy(claimed, r.PostForm)
	reference := g.newReference()
	g.Logger.WarnContext(r.Context(), "authorization request refused", "reason", message, "client_id", shortened(claimed.Get("client_id")),
		"redirect_uri", shortened(claimed.Get("redirect_uri")), "reference", reference, "client_ip", r.ClientIP)
	g.Pages.Fault(w, r.Request, http.StatusBadRequest, page.Fault{
		Title: "This link cannot be used", Message: message, Detail: "invalid_request", SupportID: reference,
	})
}

// shortened is as much of what a stranger sent as a log needs.
func shortened(s string) string { return strings.ToValidUTF8(s[:min(len(s), 255)], "") }
