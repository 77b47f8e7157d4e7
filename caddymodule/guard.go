package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/flows"
	"github.com/gatehouse-auth/gatehouse/flows/accesstoken"
	"github.com/gatehouse-auth/gatehouse/flows/guard"
	"github.com/gatehouse-auth/gatehouse/flows/policy"
	"github.com/gatehouse-auth/gatehouse/flows/reading"
	"github.com/gatehouse-auth/gatehouse/flows/session"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

func init() {
	caddy.RegisterModule(new(Guard))
}

// Guard lets a request pass only for somebody who is signed in and whom its
// policies allow. Browsers are sent to sign in and come back to the very URL;
// programs get 401.
//
// On every request it removes the identity headers that the client sent, in
// every spelling, and serves Gatehouse's own endpoints below `/.gatehouse/`.
// Several guards may meet one request: the first authenticates, each applies
// its own policies, and all must allow.
//
// A WebSocket that a page of another host opens with the visitor's cookie is
// refused. Where such a page is to be trusted, remove its Origin before the
// guard: `request_header @trusted -Origin` in a `route`.
//
// The placeholders `{http.auth.user.id}`, `email`, `name`, `groups`,
// `provider`, `sub`, `session` and `claims.NAME` are set for whom it lets pass, and
// `{http.auth.candidate.*}` for whom it does not.
type Guard struct {
	// Who must sign in: requests that match one of these sets. Default: all.
	// Do not put the matcher on the route instead: the guard has to see every
	// request of the site.
	MatcherSetsRaw caddyhttp.RawMatcherSets `json:"match,omitempty" caddy:"namespace=http.matchers"`

	// Names of the app's policies, all of which must allow. Default: none,
	// then everybody who is signed in may enter.
	Policies []string `json:"policies,omitempty"`

	// Rules of this guard's own, like those of a policy.
	Allow []policy.Rule `json:"allow,omitempty"`
	Deny  []policy.Rule `json:"deny,omitempty"`

	// Whether the rules only say in the log whom they would refuse, while everybody who
	// is signed in may enter. Default: they refuse.
	DryRun bool `json:"dry_run,omitempty"`

	// What must have been proved beyond a sign-in: how, how long ago, and what an access
	// token is good for. Who has proved less is asked again, for this guard alone.
	// Default: nothing.
	Require *Require `json:"require,omitempty"`

	// Whether the guard sends nobody away: whoever is not signed in, or is refused by the
	// rules, passes as nobody, and the application is told who the others are. A token
	// of ours that is not valid is refused all the same. Default: false.
	Optional bool `json:"optional,omitempty"`

	// Origins whose pages may call what the guard protects, with the visitor's cookie,
	// and read the answers, such as `https://ui.example.com`. Preflights are answered
	// here; what the application says itself of who may read an answer is replaced.
	// Default: none, and the application is left to say it.
	CORS []string `json:"cors,omitempty"`

	// How long, at most, a session or token is served after it was last vouched for by
	// the token store, while that does not answer; negative: no longer than it is served
	// unasked. Default: the app's `serve_stale`, which must not be shorter.
	ServeStale caddy.Duration `json:"serve_stale,omitempty"`

	// The cookie of the site's sessions. If several guards of a site say this, they must
	// say the same. Default: one that pages of other sites cannot have sent.
	Cookie *Cookie `json:"cookie,omitempty"`

	// Requests that are no use of the session, which goes idle all the same: what a page
	// asks for by itself, again and again. Those of all guards of a site count. Default:
	// none.
	IdleIgnoreRaw caddyhttp.RawMatcherSets `json:"idle_ignore,omitempty" caddy:"namespace=http.matchers"`

	// Where a sign-out at the site may lead to: paths of the site, or URLs, of which a
	// link names one by `post_logout_redirect_uri`; else the first. If several guards of a
	// site say this, they must say the same. Default: a page says that they are signed
	// out.
	LogoutRedirect []string `json:"logout_redirect,omitempty"`

	// Whether a sign-out has the browser forget what the site stored, caches and service
	// workers included. Default: false.
	ClearSiteData bool `json:"clear_site_data,omitempty"`

	// Credentials of the application's own with which a request passes that nobody of ours
	// has made: as nobody, to be judged by the application. Default: none.
	AppCredentials *AppCredentials `json:"app_credentials,omitempty"`

	// Whether an access token may come as the password of Basic credentials, for programs
	// that send nothing else. It counts for all guards of the site. Default: false.
	BasicToken bool `json:"basic_token,omitempty"`

	// The provider that people are sent to who are not signed in. It says nothing of who
	// may enter: that do the policies. Default: the choice, if there are several.
	Provider string `json:"provider,omitempty"`

	// Providers whose own tokens for programs open the place; their blocks say for which
	// audience. Who may enter is for the policies to say. Default: none.
	AcceptTokens []string `json:"accept_tokens,omitempty"`

	// Whether clients that registered themselves may have tokens for the site, and for
	// which scopes. Default: they may not.
	SelfRegistered *SelfRegistered `json:"self_registered,omitempty"`

	// Paths of the site that are protected resources of their own (RFC 9728), such as the
	// endpoint of an MCP server: a token for one opens no other, and one for the site opens
	// none of them. Default: the whole site is one.
	Resources []Resource `json:"resources,omitempty"`

	// The provider whose token for the user is passed upstream, as
	// `Authorization: Bearer`; it is always a fresh one. The provider's block
	// must say `store_tokens`. The Authorization that a client sends is then
	// never passed on. Default: none.
	ProviderToken string `json:"provider_token,omitempty"`

	// Scopes that the token must cover, beside those of the provider's block. Who
	// has allowed less is asked for more at the provider, and comes back. Default:
	// none.
	ProviderTokenScopes []string `json:"provider_token_scopes,omitempty"`

	// Whether the token passed upstream is one that the provider issues for this
	// gateway itself (the grant client_credentials), whoever came, and not the
	// user's. It needs no store_tokens. Default: false.
	ProviderTokenService bool `json:"provider_token_service,omitempty"`

	// The headers that tell the application who is signed in, where they differ from
	// the app's. If several guards of a site say this, they must say the same. Default:
	// the app's.
	Headers *Headers `json:"headers,omitempty"`

	// Protocols besides `websocket` that a request may upgrade its connection to,
	// such as `spdy/3.1` for kubectl. Requests inside such a connection pass no
	// guard, so the upgrade passes only for users that the guard lets in. If several
	// guards match, all must name the protocol. `h2c`, `http/…` and `tls/…` cannot
	// be named. Default: none.
	Upgrades []string `json:"upgrades,omitempty"`

	// How long a request whose body is still being sent may go on after its session
	// has ended, so that it can be finished and answered. Default: it is cut off
	// like all other responses of the session.
	FinishUploads caddy.Duration `json:"finish_uploads,omitempty"`

	// The site's host names, where its address has none. The first label may
	// be `*`. Default: those of the site. Accepts global placeholders.
	Hosts []string `json:"hosts,omitempty"`

	app      *App
	matchers caddyhttp.MatcherSets
	sights   []sights // of the matchers, set by set
	sight    sight    // of all of them
	made     sight    // of the handlers that made the variables that they look at
	rules    guard.Rules
	// rehearsed are the policies that only the log hears of.
	rehearsed []*policy.Policy
	headers   *headerSet
	callable  []*Guard   // guards of the site with cors
	asked     bool       // it answers a proxy, see [ForwardAuth]
	site      *siteTerms // what all guards of the site share
	// idleIgnored are requests that are no use of the session.
	idleIgnored caddyhttp.MatcherSets
	bearer      *headerSet          // Authorization, where a provider's token goes there
	exact       map[string]struct{} // names of the site, lower case
	patterns    []string            // those with a wildcard
	standsAt    []site              // where the site is, with its ports
	ports       []string            // of the site, as "https:8443"; "https:" is the scheme's own
}

// CaddyModule returns the Caddy module information.
func (*Guard) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.gatehouse", New: func() caddy.Module { return new(Guard) }}
}

// Provision loads the matchers and finds the policies.
func (g *Guard) Provision(ctx caddy.Context) error {
	app, err := configured(ctx)
	if err != nil {
		return err
	}
	g.app, g.headers, g.site = app, app.headers, new(siteTerms)
	g.rules.IsOwnHost = g.isOwnHost
	if g.Headers != nil {
		if g.headers, err = g.Headers.compile(app.Headers); err != nil {
			return err
		}
	}
	if err := app.checkHeaderClaims(g.headers); err != nil {
		return err
	}
	if err := g.provisionMatchers(ctx); err != nil {
		return err
	}
	if err := g.provisionUpgrades(); err != nil {
		return err
	}
	for _, name := range g.Policies {
		p, ok := app.Policies[name]
		if !ok {
			return fmt.Errorf("policy %q is not defined%s", name, didYouMeanPolicy(name, app))
		}
		g.ruledBy(p)
	}
	if len(g.Allow)+len(g.Deny) > 0 {
		own := &policy.Policy{Allow: g.Allow, Deny: g.Deny}
		if err := own.Validate(app.providerNames()); err != nil {
			return err
		}
		if err := app.prepare(own); err != nil {
			return err
		}
		g.ruledBy(own)
	}
	if err := together(g.provisionToken(), g.provisionRequire(), g.provisionAccept(), g.provisionSelfRegistered(), app.checkPicked(g.Provider), g.checkTogether(), g.provisionCORS(), g.checkServeStale(), g.checkResources(), g.provisionSite(ctx), g.checkAppCredentials()); err != nil {
		return err
	}
	for i, h := range g.Hosts {
		if g.Hosts[i], err = expand("hosts", h); err != nil {
			return err
		}
		if err = checkHost(g.Hosts[i]); err != nil {
			return err
		}
	}
	app.join(g)
	app.standInFront(ctx, g)
	return nil
}

// configured is the app; a guard without it has no way to let anybody in.
func configured(ctx caddy.Context) (*App, error) {
	value, err := ctx.AppIfConfigured(appName)
	if errors.Is(err, caddy.ErrNotConfigured) {
		return nil, errors.New("the gatehouse app is not configured; say how people sign in: { gatehouse { provider … } }")
	}
	if err != nil {
		return nil, err
	}
	return value.(*App), nil
}

// hasRules reports whether not everybody who is signed in may enter.
func (g *Guard) hasRules() bool { return len(g.Policies)+len(g.Allow)+len(g.Deny) > 0 && !g.DryRun }

// addNames tells the guard what its site is called. It happens in Start, before
// the app is running.
func (g *Guard) addNames(names []string) {
	if g.exact == nil {
		g.exact = make(map[string]struct{})
	}
	for _, n := range names {
		if n = strings.ToLower(n); strings.Contains(n, "*") {
			if !slices.Contains(g.patterns, n) {
				g.patterns = append(g.patterns, n)
			}
			continue
		}
		g.exact[n] = struct{}{}
	}
}

// knows reports whether a Host header names the site. A wildcard site knows only
// host names.
func (g *Guard) knows(host string) bool {
	name := hostName(host)
	if _, ok := g.exact[name]; ok {
		return true
	}
	name = strings.ToLower(name)
	if _, ok := g.exact[name]; ok {
		return true
	}
	for _, p := range g.patterns {
		if name != "" && matchName(p, name) {
			return true
		}
	}
	return false
}

// ServeHTTP implements [caddyhttp.MiddlewareHandler].
func (g *Guard) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if r.Header[accesstoken.OwnHeader] != nil && !g.asked && !isMet(r) {
		return g.serveUnlogged(w, r, next)
	}
	return g.serveLogged(w, r, next)
}

func (g *Guard) serveLogged(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	err := g.handle(w, r, next)
	if err != nil && errors.Is(err, errUnread) {
		if v, gateway := verdictOf(r), g.app.running(r.Context()); v != nil && v.id != nil && gateway != nil {
			return g.forbid(w, r, gateway, v)
		}
	}
	return err
}

func (g *Guard) handle(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	gateway := g.app.running(r.Context())
	if gateway == nil {
		return notStarted(w)
	}
	if err := reading.Target(r); err != nil {
		gateway.LimitBody(w, r)
		return malformed(w)
	}
	v := verdictOf(r)
	if v == nil {
		v = newVerdict(r)
	}
	if !v.met {
		v.met, v.site = true, &g.site.Site
		v.strip(r, g.headers)
		var err error
		if v.uri, err = originalURI(r); err != nil {
			gateway.LimitBody(w, r)
			return malformed(w)
		}
		if !g.knows(r.Host) {
			gateway.LimitBody(w, r)
			return misdirected(w)
		}
		v.scheme = g.app.schemeOf(r)
		v.resource = gateway.Guard().ResourceOf(v.origin(r), v.uri)
		if gateway.OwnPath(v.uri) {
			v.known = g.hasPort(v.scheme, r.Host)
			g.app.serveOwn(w, v.request(r), gateway.ServeSite)
			return nil
		}
	}
	if len(g.callable) > 0 && !v.fitting.asked {
		if answered, err := g.admitPage(w, r, gateway, v); answered || err != nil {
			return err
		}
	}
	if len(g.matchers) > 0 {
		match, err := g.mustSignIn(r)
		if errors.Is(err, reading.ErrMalformed) {
			gateway.LimitBody(w, r)
			return malformed(w)
		}
		if err != nil {
			return err
		}
		if !match {
			v.hide(gateway, r)
			g.headers.takeAuthorization(r)
			return next.ServeHTTP(w, r)
		}
	}
	return g.serve(w, r, gateway, v, next)
}

// serve lets pass whom all guards allow. The first that a request meets finds out who
// it is.
func (g *Guard) serve(w http.ResponseWriter, r *http.Request, gateway *flows.Gateway, v *verdict, next caddyhttp.Handler) error {
	v.fitting.shield(g.Optional)
	if !g.Optional && v.admitAgents(w, r) {
		return nil
	}
	if v.forbidden && !g.Optional { // by a guard before, which is optional
		return g.forbid(w, r, gateway, v)
	}
	again := v.id != nil
	decision := g.decide(r, gateway, v, again)
	if g.Optional && (v.forbidden || mayPassAsNobody(decision)) {
		return g.passAsNobody(w, r, gateway, v, next)
	}
	if decision.IsNobody() && g.AppCredentials.in(r) {
		// The application judges what it gets: not what is taken for ours, and removed.
		if v.hide(gateway, r); g.AppCredentials.in(r) {
			v.fitting.shield(true, g.AppCredentials.Headers...)
			return g.passAsNobody(w, r, gateway, v, next)
		}
		v.show(r)
	}
	switch decision.Outcome {
	case guard.Pass, guard.NoToken:
		g.rehearse(r, v)
	case guard.Forbidden:
		return g.forbid(w, r, gateway, v)
	case guard.Foreign, guard.Insufficient, guard.NoScope:
		v.forbidden = true
	case guard.Unauthenticated:
	}
	if decision.Outcome != guard.Pass {
		g.countMissing(decision)
		request := g.request(r, v)
		request.NeedsScope = g.site.needsScope(r)
		gateway.Guard().Answer(w, request, decision)
		return nil
	}
	if !again {
		if ok, err := g.tell(w, r, gateway, v); !ok {
			return err
		}
	}
	w = g.passToken(w, r, gateway, v, decision.Token)
	g.passUpgrade(r, v)
	if again {
		v.answer.judgedBy(g.rules.Deciders)
		return next.ServeHTTP(w, r)
	}
	return g.pass(w, r, gateway, v, next)
}

func (g *Guard) decide(r *http.Request, gateway *flows.Gateway, v *verdict, again bool) guard.Decision {
	if again && g.isStale(gateway, v.id) {
		return gateway.Guard().Decide(g.request(r, v), &g.rules, nil, session.ErrUnavailable)
	}
	if again {
		return gateway.Guard().DecideAgain(g.request(r, v), &g.rules, v.id)
	}
	v.show(r)
	id, err := v.authenticate(g, gateway, r)
	if id != nil && g.isStale(gateway, id) {
		id, err = nil, session.ErrUnavailable
	}
	d := gateway.Guard().Decide(g.request(r, v), &g.rules, id, err)
	if d.Identity != nil && d.Identity.Accepted != nil && g.isStale(gateway, d.Identity) {
		return gateway.Guard().Decide(g.request(r, v), &g.rules, nil, session.ErrUnavailable)
	}
	v.id = d.Identity
	return d
}

// request is the request as this guard wants it answered.
func (g *Guard) request(r *http.Request, v *verdict) *web.Request {
	request := v.request(r)
	request.Pick = g.Provider
	request.AsksBasic = g.site.basicToken || g.AppCredentials.takes(schemeBasic)
	return request
}

func (g *Guard) forbid(w http.ResponseWriter, r *http.Request, gateway *flows.Gateway, v *verdict) error {
	g.logForbidden(r, v)
	v.forbidden = true
	gateway.Guard().Forbid(w, v.request(r), v.id)
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Guard)(nil)
	_ caddyhttp.MiddlewareHandler = (*Guard)(nil)
)
