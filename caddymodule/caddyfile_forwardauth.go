package caddymodule

import (
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/caddymodule/dialect"
)

// parseForwardAuthDirective parses the site directive:
//
//	gatehouse_forward_auth [<matcher>] [<policy…>] {
//		proxy nginx | apache | haproxy | traefik | envoy | caddy
//		hosts <name…>
//		allow anyone | <condition…>
//		deny  <condition…>
//		dry_run
//		headers { … }
//		provider <provider>
//		provider_token <provider> [service] { … }
//		accept_tokens <provider…>
//		self_registered [<scope…>]
//		require acr <value…> | max_age <duration> | scope <scope…>
//		optional
//		serve_stale <duration>|off
//	}
//
// The matcher is kept inside the handler: it is about the request that the proxy
// describes.
func parseForwardAuthDirective(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
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
	f := new(ForwardAuth)
	if matcher != nil {
		f.MatcherSetsRaw = caddyhttp.RawMatcherSets{matcher}
	}
	if err := f.Guard.parse(h, app, f.parseOption); err != nil {
		return nil, err
	}
	if f.Proxy == "" {
		return nil, h.Errf("gatehouse_forward_auth needs to know which proxy asks; add one of: proxy %s", strings.Join(dialect.Names(), ", proxy "))
	}
	if len(f.Hosts) == 0 {
		return nil, h.Err("gatehouse_forward_auth needs the names of the sites that the proxy serves; add: hosts app.example.com")
	}
	return h.NewRoute(nil, f), nil
}

func (f *ForwardAuth) parseOption(h httpcaddyfile.Helper, app *App) error {
	switch h.Val() {
	case "proxy":
		if f.Proxy != "" {
			return h.Err("proxy is given twice; a directive answers one kind of proxy")
		}
		if err := oneArg(h.Dispenser, &f.Proxy); err != nil {
			return err
		}
		if dialect.ByName(f.Proxy) == nil {
			return h.Errf("proxy %q is not known%s", f.Proxy, didYouMean(f.Proxy, dialect.Names()))
		}
		return nil
	case "upgrades":
		return h.Err("upgrades has no effect with forward auth: the proxy makes the connection to the application; say there which protocols may be upgraded to")
	case "cors":
		return h.WrapErr(errForwardCORS)
	case "finish_uploads":
		return h.Err("finish_uploads has no effect with forward auth: the proxy sends the uploads, and they go on when a session ends")
	default:
		return f.Guard.parseOption(h, app)
	}
}
