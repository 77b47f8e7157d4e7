package caddymodule

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// parseGuardDirective parses the site directive:
//
//	gatehouse [<matcher>] [<policy…>] {
//		allow anyone | <condition…>
//		deny  <condition…>
//		hosts <name…>
//		provider <provider>
//		provider_token <provider> [service] {
//			scope <scope…>
//		}
//		accept_tokens <provider…>
//		self_registered [<scope…>]
//		require acr <value…> | max_age <duration> | scope <scope…>
//		resource <path> [<name>]
//		dry_run
//		optional
//		cors <origin…>
//		serve_stale <duration>|off
//		app_credentials basic|bearer|aws4…|header <name…>
//		basic_token
//		cookie { … }
//		idle_ignore <matcher…>
//		logout_redirect <address…>
//		clear_site_data
//		headers { … }
//		upgrades <protocol…>
//		finish_uploads [<duration>]
//	}
//
// The matcher is kept inside the handler: it decides who must sign in, not what
// the guard sees.
func parseGuardDirective(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	if !h.Next() {
		return nil, h.ArgErr()
	}
	if err := noGluedBrace(h.Dispenser); err != nil {
		return nil, err
	}
	matcher, err := h.ExtractMatcherSet()
	if err != nil {
		return nil, h.WrapErr(err)
	}
	app, err := configuredApp(h)
	if err != nil {
		return nil, err
	}
	guard := new(Guard)
	if matcher != nil {
		guard.MatcherSetsRaw = caddyhttp.RawMatcherSets{matcher}
	}
	if err := guard.parse(h, app, guard.parseOption); err != nil {
		return nil, err
	}
	return h.NewRoute(nil, guard), nil
}

// configuredApp is what the global block says. A site directive without it
// would be a guard without a door.
func configuredApp(h httpcaddyfile.Helper) (*App, error) {
	option, ok := h.Option(appName).(httpcaddyfile.App)
	if !ok {
		h.Next() // to the directive, whose file and line the error names
		return nil, h.Err("there is no global gatehouse block; say at the top of the Caddyfile how people sign in: { gatehouse { provider … } }")
	}
	app := new(App)
	if err := caddy.StrictUnmarshalJSON(option.Value, app); err != nil {
		h.Next()
		return nil, h.WrapErr(err)
	}
	return app, nil
}

// parse reads the directive's arguments and its block, each option of which option
// parses.
func (g *Guard) parse(h httpcaddyfile.Helper, app *App, option func(httpcaddyfile.Helper, *App) error) error {
	for h.Next() { // the directive's name
		for h.NextArg() {
			if _, ok := app.Policies[h.Val()]; !ok {
				return h.Errf("policy %q is not defined%s", h.Val(), didYouMeanPolicy(h.Val(), app))
			}
			if slices.Contains(g.Policies, h.Val()) {
				return h.Errf("policy %q occurs twice", h.Val())
			}
			g.Policies = append(g.Policies, h.Val())
		}
		for h.NextBlock(0) {
			if err := option(h, app); err != nil {
				return err
			}
			if err := g.checkTogether(); err != nil {
				return h.WrapErr(err)
			}
		}
	}
	if len(g.Deny) > 0 && len(g.Allow) == 0 {
		return h.Err("deny lines alone let nobody in; add an allow line, such as allow anyone")
	}
	return g.parseCheckOpen(h, app)
}

func (g *Guard) parseOption(h httpcaddyfile.Helper, app *App) error {
	if known, err := g.parseSiteOption(h); known {
		return err
	}
	switch h.Val() {
	case "hosts":
		return someArgs(h.Dispenser, &g.Hosts)
	case "provider":
		return g.parseProvider(h, app)
	case "provider_token":
		return g.parseToken(h, app)
	case "accept_tokens":
		return g.parseAccept(h, app)
	case "self_registered":
		return g.parseSelfRegistered(h, app)
	case "require":
		return g.parseRequire(h)
	case "dry_run":
		return flag(h.Dispenser, &g.DryRun)
	case "optional":
		return flag(h.Dispenser, &g.Optional)
	case "cors":
		return g.parseCORS(h)
	case "serve_stale":
		var err error
		g.ServeStale, err = serveStaleArg(h.Dispenser)
		return err
	case "headers":
		if g.Headers != nil {
			return h.Err("headers is given twice")
		}
		var err error
		g.Headers, err = parseHeaders(h.Dispenser, append(slices.Clone(guardOptions), "gatehouse")...)
		return err
	case "upgrades":
		return g.parseUpgrades(h)
	case "finish_uploads":
		return g.parseFinishUploads(h)
	case "allow", "deny":
		line, err := parseRule(h.Dispenser, &g.Allow, &g.Deny)
		if err != nil {
			return err
		}
		return line.check(h.Dispenser, app.providerNames())
	default:
		return h.Errf("unrecognized option %q%s", h.Val(), meantInGuard(h.Val()))
	}
}

// parseCORS parses `cors <origin…>`.
func (g *Guard) parseCORS(h httpcaddyfile.Helper) error {
	from := len(g.CORS)
	if err := someWords(h.Dispenser, &g.CORS); err != nil {
		return err
	}
	for _, origin := range g.CORS[from:] {
		if err := web.CheckPageOrigin(origin); err != nil {
			return h.Errf("cors: %v", err)
		}
	}
	return nil
}

// parseFinishUploads parses `finish_uploads [<duration>]`.
func (g *Guard) parseFinishUploads(h httpcaddyfile.Helper) error {
	if g.FinishUploads != 0 {
		return h.Err("finish_uploads is given twice")
	}
	if h.CountRemainingArgs() == 0 {
		g.FinishUploads = defaultUploadTime
		return noBlock(h.Dispenser)
	}
	var err error
	g.FinishUploads, err = durationArg(h.Dispenser)
	return err
}

// meantInGuard is [meant] for the guard's block, around which there may be any
// directive.
func meantInGuard(word string) string {
	hint := meant(word, guardOptions, "gatehouse")
	if strings.HasPrefix(hint, "; known: ") {
		hint += braceMissing
	}
	return hint
}

// parseCheckOpen refuses a guard without a rule when anybody can open an account
// at a provider, as far as the Caddyfile alone can tell.
func (g *Guard) parseCheckOpen(h httpcaddyfile.Helper, app *App) error {
	if g.hasRules() {
		return nil
	}
	for _, p := range app.Providers {
		if len(p.Allow) > 0 || p.peekOnlyTokens() && !slices.Contains(g.AcceptTokens, p.Name) {
			continue
		}
		if open, err := p.peekOpen(); err == nil && open {
			return h.WrapErr(openProviderError(p.Name))
		}
	}
	return nil
}

func didYouMeanPolicy(name string, app *App) string {
	if strings.ContainsAny(name, "/*@") {
		if !strings.ContainsAny(name[:1], "/*@") {
			name = "/" + name // to Caddy a path begins with a slash
		}
		return "; a matcher comes first: gatehouse " + name + " POLICY"
	}
	var known []string
	for k := range app.Policies {
		known = append(known, k)
	}
	if len(known) == 0 {
		return "; define it in the global block: gatehouse { policy " + name + " { allow … } }"
	}
	return didYouMean(name, known)
}

// peekOpen reports whether anybody can open an account, from the unprovisioned
// module.
func (p *ProviderConfig) peekOpen() (bool, error) {
	var typ struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(p.ModuleRaw, &typ); err != nil {
		return false, err
	}
	info, err := caddy.GetModule(providerNamespace + "." + typ.Type)
	if err != nil {
		return false, err
	}
	module := info.New()
	if err := json.Unmarshal(p.ModuleRaw, module); err != nil {
		return false, err
	}
	open, ok := module.(OpenProvider)
	return ok && open.AnyoneCanJoin(), nil
}

// openProviderError names the three ways to say who may enter.
func openProviderError(name string) error {
	return fmt.Errorf("anybody can open an account at provider %q, and nobody is said to be allowed; say who may enter in one of three ways: "+
		"a line \"allow domain example.com\" (or email, user, group) in the provider, a policy on the guard (gatehouse POLICY), or \"allow anyone\" in the provider", name)
}

// parsePortalDirective parses the site directive, which has no options:
//
//	gatehouse_portal [<matcher>]
func parsePortalDirective(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	app, err := configuredApp(h)
	if err != nil {
		return nil, err
	}
	if !h.Next() {
		return nil, h.ArgErr()
	}
	matcher, err := h.ExtractMatcherSet()
	if err != nil {
		return nil, err
	}
	for h.Next() {
		if err := noArgsBehind(h.Dispenser); err != nil {
			return nil, err
		}
		if err := noBlock(h.Dispenser); err != nil {
			return nil, err
		}
	}
	if app.Issuer == "" {
		return nil, h.Err("gatehouse_portal needs an issuer; write in the global gatehouse block: issuer https://auth.example.com")
	}
	routes := h.NewRoute(matcher, new(Portal))
	if paths := metadataPaths(app.Issuer); matcher != nil && paths != nil {
		routes = append(routes, h.NewRoute(caddy.ModuleMap{"path": h.JSON(paths)}, new(Portal))...)
	}
	return routes, nil
}

// metadataPaths are where the metadata of an issuer with a path is found, outside of
// that path (RFC 8414, section 3.1): a matcher for the path would lose it.
func metadataPaths(issuer string) caddyhttp.MatchPath {
	u, err := url.Parse(issuer)
	if err != nil || strings.Trim(u.Path, "/") == "" {
		return nil
	}
	path := strings.TrimSuffix(u.Path, "/")
	return caddyhttp.MatchPath{"/.well-known/oauth-authorization-server" + path, "/.well-known/openid-configuration" + path}
}
