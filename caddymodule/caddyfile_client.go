package caddymodule

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/clientjwt"
)

var oauthClientOptions = []string{
	"public", "secret", "jwks", "title", "first_party", "policy", "redirect_uri", "post_logout_redirect_uri",
	"response_modes", "native_scheme", "backchannel_logout_uri", "grants", "scopes", "claims", "refresh_tokens", "audience", "resources", "resource_server", "access_token_lifetime", "id_token_signing_alg",
	"access_token_signing_alg", "refresh_grace", "assertion_audience", "require", "may_exchange", "may_act_for",
}

// client parses:
//
//	client <id> {
//		public
//		secret                   <secret or hash>
//		jwks                     <file>
//		title                    <text>
//		first_party
//		policy                   <name>
//		redirect_uri             <uri…>
//		post_logout_redirect_uri <uri…>
//		response_modes           query | fragment | form_post …
//		native_scheme            <scheme…>
//		backchannel_logout_uri   <uri>
//		grants                   authorization_code | refresh_token | client_credentials | device_code …
//		scopes                   <scope…>
//		claims                   <claim…> [scope <scope>]
//		refresh_tokens           session | offline | always
//		audience                 <uri>
//		resources                <uri…>
//		resource_server          <uri…>
//		refresh_grace            <duration>
//		assertion_audience       issuer | token_endpoint
//		access_token_lifetime    <duration>
//		id_token_signing_alg     RS256 | ES256 | EdDSA
//		access_token_signing_alg ES256 | EdDSA | RS256
//		require                  par | dpop …
//		may_exchange             <provider…>
//		may_act_for              <provider…> [policy <name>]
//	}
//
// secret, claims and the URIs may be repeated.
func (p *globalParser) client(d *caddyfile.Dispenser) error {
	c := new(ClientConfig)
	if !d.AllArgs(&c.ID) {
		return d.Err("client needs one id: client ID { … }" + unset)
	}
	if slices.ContainsFunc(p.app.Clients, func(other *ClientConfig) bool { return other.ID == c.ID }) {
		return d.Errf("client %q is configured twice", c.ID)
	}
	here := *d
	var seen []string
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		option := d.Val()
		repeatable := slices.Contains([]string{"secret", "claims", "redirect_uri", "post_logout_redirect_uri"}, option)
		if slices.Contains(seen, option) && !repeatable {
			return d.Errf("%s is given twice", option)
		}
		seen = append(seen, option)
		if err := parseClientOption(d, c); err != nil {
			return err
		}
	}
	p.app.Clients = append(p.app.Clients, c)
	p.later = append(p.later, func([]string) error { return p.checkClient(&here, c) })
	return nil
}

func parseClientOption(d *caddyfile.Dispenser, c *ClientConfig) error {
	switch d.Val() {
	case "public":
		return flag(d, &c.Public)
	case "first_party":
		return flag(d, &c.FirstParty)
	case "secret":
		var secret string
		if err := oneArg(d, &secret); err != nil {
			return err
		}
		if _, err := hashModule(c.ID, secret); err != nil {
			warnLiteral(d, "the secret of client "+c.ID, secret)
		}
		c.Secrets = append(c.Secrets, secret)
		return nil
	case "jwks":
		return oneArg(d, &c.JWKSFile)
	case "title":
		return oneArg(d, &c.Title)
	case "policy":
		return oneArg(d, &c.Policy)
	case "redirect_uri":
		return someArgs(d, &c.RedirectURIs)
	case "post_logout_redirect_uri":
		return someArgs(d, &c.PostLogoutRedirectURIs)
	case "response_modes":
		return parseResponseModes(d, c)
	case "native_scheme":
		return someWords(d, &c.NativeSchemes)
	case "backchannel_logout_uri":
		return oneArg(d, &c.BackchannelLogoutURI)
	case "grants":
		return parseGrants(d, c)
	case "scopes":
		return someWords(d, &c.Scopes)
	case "claims":
		return parseClientClaims(d, c)
	case "refresh_tokens":
		return parseRefreshTokens(d, c)
	case "audience":
		return oneArg(d, &c.Audience)
	case "resources":
		return someArgs(d, &c.Resources)
	case "resource_server":
		return someArgs(d, &c.ResourceServer)
	case "access_token_lifetime":
		var err error
		c.AccessTokenLifetime, err = durationArg(d)
		return err
	case "refresh_grace":
		var err error
		c.RefreshGrace, err = durationArg(d)
		return err
	case "assertion_audience":
		return parseAssertionAudience(d, c)
	case "id_token_signing_alg":
		return parseAlgorithm(d, &c.IDTokenAlgorithm)
	case "access_token_signing_alg":
		return parseAlgorithm(d, &c.AccessTokenAlgorithm)
	case "require":
		return parseRequire(d, c)
	case "may_exchange":
		return someWords(d, &c.MayExchange)
	case "may_act_for":
		return parseMayActFor(d, c)
	}
	return d.Errf("unrecognized client option %q%s", d.Val(), meant(d.Val(), oauthClientOptions, globalOptions...))
}

func parseGrants(d *caddyfile.Dispenser, c *ClientConfig) error {
	var grants []string
	if err := someWords(d, &grants); err != nil {
		return err
	}
	var known []string
	types := make(map[string]string)
	for _, g := range client.Grants() {
		if g.Name != "" {
			known, types[g.Name] = append(known, g.Name), g.Type
		}
	}
	for _, g := range grants {
		if types[g] == "" {
			return d.Errf("there is no grant %q%s", g, didYouMean(g, known))
		}
		c.Grants = append(c.Grants, types[g])
	}
	return nil
}

// parseClientClaims parses `claims <claim…> [scope <scope>]`, which may be repeated.
func parseClientClaims(d *caddyfile.Dispenser, c *ClientConfig) error {
	var words []string
	if err := someWords(d, &words); err != nil {
		return err
	}
	var scope string
	if i := slices.Index(words, "scope"); i >= 0 {
		if i == 0 || len(words) != i+2 {
			return d.Err("claims takes names and, behind them, the scope that they come with: claims department office scope hr")
		}
		scope, words = words[i+1], words[:i]
	}
	for _, name := range words {
		c.Claims = append(c.Claims, client.Claim{Name: name, Scope: scope})
	}
	return nil
}

// parseMayActFor parses `may_act_for <provider…> [policy <name>]`.
func parseMayActFor(d *caddyfile.Dispenser, c *ClientConfig) error {
	if err := someWords(d, &c.MayActFor); err != nil {
		return err
	}
	if i := slices.Index(c.MayActFor, "policy"); i >= 0 {
		if i == 0 || len(c.MayActFor) != i+2 {
			return d.Err("may_act_for takes providers and, after them, the policy of those who need not be asked: may_act_for github policy staff")
		}
		c.MayActFor, c.ActPolicy = c.MayActFor[:i], c.MayActFor[i+1]
	}
	return nil
}

func parseRefreshTokens(d *caddyfile.Dispenser, c *ClientConfig) error {
	if err := oneArg(d, &c.RefreshTokens); err != nil {
		return err
	}
	if known := client.RefreshTokensValues(); !slices.Contains(known, c.RefreshTokens) {
		return d.Errf("refresh_tokens must be session, offline or always, not %q%s", c.RefreshTokens, didYouMean(c.RefreshTokens, known))
	}
	return nil
}

func parseRequire(d *caddyfile.Dispenser, c *ClientConfig) error {
	var required []string
	if err := someWords(d, &required); err != nil {
		return err
	}
	for _, r := range required {
		switch r {
		case "par":
			c.RequirePAR = true
		case "dpop":
			c.RequireDPoP = true
		default:
			return d.Errf("require: %q is neither par nor dpop", r)
		}
	}
	return nil
}

// checkClient checks what does not depend on placeholders, so that the error
// names the line.
func (p *globalParser) checkClient(d *caddyfile.Dispenser, c *ClientConfig) error {
	for _, used := range []string{c.Policy, c.ActPolicy} {
		if used != "" && p.app.Policies[used] == nil {
			return d.Errf("client %q: policy %q is not defined%s", c.ID, used, didYouMean(used, slices.Sorted(maps.Keys(p.app.Policies))))
		}
	}
	if err := cmp.Or(p.app.checkExchange("may_exchange", c.MayExchange), p.app.checkExchange("may_act_for", c.MayActFor)); err != nil {
		return d.Errf("client %q: %v", c.ID, err)
	}
	try := &client.Client{
		ID: c.ID, Public: c.Public, RedirectURIs: c.RedirectURIs, Grants: c.Grants, Scopes: c.Scopes, MayExchange: c.MayExchange, MayActFor: c.MayActFor,
		IDTokenAlgorithm: c.IDTokenAlgorithm, AccessTokenAlgorithm: c.AccessTokenAlgorithm,
		PostLogoutRedirectURIs: c.PostLogoutRedirectURIs, BackchannelLogoutURI: c.BackchannelLogoutURI, Resources: c.Resources,
		ResponseModes: c.ResponseModes, NativeSchemes: c.NativeSchemes,
		RefreshGrace: time.Duration(c.RefreshGrace), AssertionAudience: c.AssertionAudience,
		ResourceServer:      c.ResourceServer,
		RefreshTokens:       client.RefreshTokens(c.RefreshTokens),
		Claims:              c.Claims,
		AccessTokenLifetime: time.Duration(c.AccessTokenLifetime),
	}
	for _, s := range c.Secrets {
		try.Secrets = append(try.Secrets, client.NewSecret(s))
	}
	if c.JWKSFile != "" {
		try.Keys = map[string]clientjwt.Key{"of the file": {}}
	}
	if err := try.Validate(); err != nil {
		return d.Err(err.Error())
	}
	return nil
}

// gateClientOption parses:
//
//	gate_client [on | off] {
//		may_exchange <provider…>
//	}
func (p *globalParser) gateClientOption(d *caddyfile.Dispenser) error {
	here := *d
	value := "on"
	if d.NextArg() {
		value = d.Val()
	} else if !opensBlock(d) {
		return d.ArgErr()
	}
	if value != "on" && value != "off" {
		return d.Errf("gate_client must be on or off, not %q", value)
	}
	if d.NextArg() {
		return d.Errf("gate_client has one argument, on or off; found %q", d.Val())
	}
	on := value == "on"
	p.app.GateClient = &on
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if d.Val() != "may_exchange" {
			return d.Errf("unrecognized option %q of gate_client%s", d.Val(), didYouMean(d.Val(), []string{"may_exchange"}))
		}
		if err := someWords(d, &p.app.GateMayExchange); err != nil {
			return err
		}
	}
	if !on && len(p.app.GateMayExchange) > 0 {
		return d.Err("gate_client is off, so it may exchange nothing")
	}
	p.later = append(p.later, func([]string) error {
		if err := p.app.checkExchange("may_exchange", p.app.GateMayExchange); err != nil {
			return here.Errf("gate_client: %v", err)
		}
		return nil
	})
	return nil
}

// opensBlock reports whether a block follows on the line.
func opensBlock(d *caddyfile.Dispenser) bool {
	ahead := *d
	return ahead.NextBlock(ahead.Nesting())
}
