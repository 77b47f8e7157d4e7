package caddymodule

import (
	"net/url"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/gatehouse-auth/gatehouse/flows/keyring"
)

func init() {
	httpcaddyfile.RegisterGlobalOption(appName, parseGlobal)
	httpcaddyfile.RegisterDirective("gatehouse", parseGuardDirective)
	httpcaddyfile.RegisterDirectiveOrder("gatehouse", httpcaddyfile.Before, "basic_auth")
	httpcaddyfile.RegisterDirective("gatehouse_forward_auth", parseForwardAuthDirective)
	httpcaddyfile.RegisterDirectiveOrder("gatehouse_forward_auth", httpcaddyfile.Before, "respond")
	httpcaddyfile.RegisterDirective("gatehouse_portal", parsePortalDirective)
	httpcaddyfile.RegisterDirectiveOrder("gatehouse_portal", httpcaddyfile.Before, "respond")
}

// parseGlobal parses the global option and makes the app of it. A second block
// is refused: parts of one gateway in two places would be read as two gateways.
func parseGlobal(d *caddyfile.Dispenser, earlier any) (any, error) {
	if earlier != nil {
		d.Next()
		return nil, d.Err("gatehouse is configured already; write everything in one gatehouse block (import works inside it)")
	}
	app := new(App)
	if err := app.UnmarshalCaddyfile(d); err != nil {
		return nil, err
	}
	return httpcaddyfile.App{Name: appName, Value: caddyconfig.JSON(app, nil)}, nil
}

var globalOptions = []string{"issuer", "token_store", "cache", "secret", "session", "serve_stale", "provider", "policy", "client", "gate_client", "link_by_email", "client_registration", "signing_keys", "site", "scope", "headers", "pages"}

// blockOptions are those that may have a block.
var blockOptions = []string{"token_store", "cache", "session", "provider", "policy", "client", "client_registration", "scope", "headers", "pages"}

// UnmarshalCaddyfile parses the global option:
//
//	gatehouse {
//		issuer      <url>
//		token_store <driver> [<args…>] { … }
//		cache       <driver> [<args…>] { … }
//		secret      <secret>
//		session {
//			idle       <duration>
//			lifetime   <duration>
//			revalidate <duration>
//			recheck    <duration>
//		}
//		serve_stale <duration> | off
//		provider <name> [<type>] [<args…>] {
//			title <text>
//			allow anyone | <condition…>
//			deny  <condition…>
//			…
//		}
//		policy <name> {
//			allow anyone | <condition…>
//			deny  <condition…>
//		}
//		client <id> { … }
//		link_by_email <provider…>
//		gate_client [on | off] {
//			may_exchange <provider…>
//		}
//		client_registration {
//			metadata_documents <host…> | any
//			dynamic
//		}
//		signing_keys <file>
//		site <origin…>
//		scope <name> <words> {
//			implies <scope…>
//		}
//		headers { … }
//		pages { … }
//	}
//
// A condition is one of user, email, domain, group, client or provider with one or
// more values, claim with a name and values, or expression with one. Those in one line must all hold; the values of one condition, and the
// lines, are alternatives. secret, provider, policy, client,
// site and scope may be repeated.
func (a *App) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	p := globalParser{app: a}
	for d.Next() {
		if err := noArgsBehind(d); err != nil {
			return err
		}
		for d.NextBlock(0) {
			if err := p.option(d); err != nil {
				return err
			}
		}
	}
	return p.finish()
}

// globalParser holds what has to be checked once the whole block was read.
type globalParser struct {
	app  *App
	seen []string
	// later are checks that need the names of all providers.
	later []func(providers []string) error
}

// once refuses an option that was given before.
func (p *globalParser) once(d *caddyfile.Dispenser) error {
	if slices.Contains(p.seen, d.Val()) {
		return d.Errf("%s is given twice", d.Val())
	}
	p.seen = append(p.seen, d.Val())
	return nil
}

func (p *globalParser) option(d *caddyfile.Dispenser) error {
	if name := strings.TrimSuffix(d.Val(), "{"); slices.Contains(blockOptions, name) {
		if err := noGluedBrace(d); err != nil {
			return err
		}
	}
	switch d.Val() {
	case "provider":
		return p.provider(d)
	case "policy":
		return p.policy(d)
	case "secret":
		return p.secret(d)
	case "client":
		return p.client(d)
	case "site":
		return p.site(d)
	case "scope":
		return p.scope(d)
	}
	if !slices.Contains(globalOptions, d.Val()) {
		return d.Errf("unrecognized option %q%s", d.Val(), meant(d.Val(), globalOptions))
	}
	if err := p.once(d); err != nil {
		return err
	}
	var err error
	switch d.Val() {
	case "issuer":
		return p.issuer(d)
	case "token_store":
		p.app.TokenStoreRaw, err = parseDriver(d, tokenStoreNamespace)
		return err
	case "cache":
		p.app.CacheRaw, err = parseDriver(d, cacheNamespace)
		return err
	case "session":
		return p.session(d)
	case "signing_keys":
		return p.signingKeys(d)
	case "pages":
		return p.pagesOption(d)
	case "client_registration":
		return p.registration(d)
	case "gate_client":
		return p.gateClientOption(d)
	case "link_by_email":
		return p.linkByEmail(d)
	case "serve_stale":
		p.app.ServeStale, err = serveStaleArg(d)
		return err
	default: // headers
		p.app.Headers, err = parseHeaders(d, globalOptions...)
		return err
	}
}

func (p *globalParser) issuer(d *caddyfile.Dispenser) error {
	if err := oneArg(d, &p.app.Issuer); err != nil || !isLiteral(p.app.Issuer) {
		return err
	}
	if err := checkIssuer(p.app.Issuer, exampleIssuer); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

func (p *globalParser) secret(d *caddyfile.Dispenser) error {
	var secret string
	if err := oneArg(d, &secret); err != nil {
		return err
	}
	if isLiteral(secret) && len(secret) < keyring.MinSecret {
		return d.Errf("secret has %d bytes, at least %d are needed; make one: openssl rand -base64 32", len(secret), keyring.MinSecret)
	}
	warnLiteral(d, "secret", secret)
	p.app.Secrets = append(p.app.Secrets, secret)
	return nil
}

// linkByEmail parses `link_by_email <provider…>`.
func (p *globalParser) linkByEmail(d *caddyfile.Dispenser) error {
	here := *d
	if err := someWords(d, &p.app.LinkByEmail); err != nil {
		return err
	}
	p.later = append(p.later, func([]string) error {
		if err := p.app.checkLinkByEmail(); err != nil {
			return here.WrapErr(err)
		}
		return nil
	})
	return nil
}

func (p *globalParser) site(d *caddyfile.Dispenser) error {
	already := len(p.app.Sites)
	if err := someArgs(d, &p.app.Sites); err != nil {
		return err
	}
	for _, s := range p.app.Sites[already:] {
		u, err := url.Parse(s)
		switch {
		case err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || strings.Trim(u.Path, "/") != "":
			return d.Errf("site %q is not an origin such as https://app.example.com", s)
		case strings.HasSuffix(u.Hostname(), "."):
			return d.Errf("site %q: its host ends in a dot, and nobody can sign in under such a name; leave the dot out", s)
		}
	}
	return nil
}

func (p *globalParser) session(d *caddyfile.Dispenser) error {
	if err := noArgsBehind(d); err != nil {
		return err
	}
	s := new(SessionConfig)
	options := map[string]*caddy.Duration{"idle": &s.Idle, "lifetime": &s.Lifetime, "revalidate": &s.Revalidate, "recheck": &s.Recheck}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		target, ok := options[d.Val()]
		if !ok {
			return d.Errf("unrecognized session option %q%s", d.Val(), meant(d.Val(), []string{"idle", "lifetime", "recheck", "revalidate"}, globalOptions...))
		}
		if *target != 0 {
			return d.Errf("%s is given twice", d.Val())
		}
		value, err := durationArg(d)
		if err != nil {
			return err
		}
		*target = value
	}
	p.app.Session = s
	return nil
}

// finish checks what the whole block must say.
func (p *globalParser) finish() error {
	names := p.app.providerNames()
	for _, check := range p.later {
		if err := check(names); err != nil {
			return err
		}
	}
	return nil
}

// parseDriver parses `OPTION DRIVER … { … }` by the driver's own module.
func parseDriver(d *caddyfile.Dispenser, namespace string) ([]byte, error) {
	option := d.Val()
	if !d.NextArg() {
		return nil, missingValue(d, option)
	}
	name := d.Val()
	known := moduleNames(namespace)
	if !slices.Contains(known, name) {
		return nil, d.Errf("%s: there is no driver %q%s", option, name, didYouMean(name, known))
	}
	module, err := caddyfile.UnmarshalModule(d, namespace+"."+name)
	if err != nil {
		return nil, err
	}
	return caddyconfig.JSONModuleObject(module, "driver", name, nil), nil
}

// moduleNames are the last parts of the module ids in a namespace.
func moduleNames(namespace string) []string {
	var names []string
	for _, m := range caddy.GetModules(namespace) {
		names = append(names, m.ID.Name())
	}
	return names
}

// Interface guard
var _ caddyfile.Unmarshaler = (*App)(nil)
