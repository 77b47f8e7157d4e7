package caddymodule

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddytls"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider/oidc"
)

// clientOption parses one option of a client. The dispenser stands at its name.
type clientOption func(c *OIDCClient, d *caddyfile.Dispenser) error

// clientOptions are the options of all providers that speak OpenID Connect.
var clientOptions = map[string]clientOption{
	"accept_tokens":       parseAcceptTokens,
	"access_token_claims": keptClaims(func(c *OIDCClient) *[]string { return &c.AccessTokenClaims }),
	"acr_values":          textList(func(c *OIDCClient) *[]string { return &c.ACRValues }),
	"assertion_audience":  choice(func(c *OIDCClient) *string { return &c.AssertionAudience }, oidc.AudienceIssuer, oidc.AudienceTokenEndpoint),
	"auth_params":         parseAuthParam,
	"claims":              keptClaims(func(c *OIDCClient) *[]string { return &c.Claims }),
	"client_auth":         parseClientAuth,
	"client_id":           text(func(c *OIDCClient) *string { return &c.ClientID }),
	"client_secret":       parseClientSecret,
	"endpoints":           parseEndpoints,
	"groups_claim":        parseGroupsClaim,
	"identity_namespace":  parseNamespace,
	"insecure_http":       isSet(func(c *OIDCClient) *bool { return &c.InsecureHTTP }),
	"internal_url":        parseInternalURL,
	"par":                 isSet(func(c *OIDCClient) *bool { return &c.PAR }),
	"prompt":              choice(func(c *OIDCClient) *string { return &c.Prompt }, "consent", "login", "select_account"),
	"response_mode":       choice(func(c *OIDCClient) *string { return &c.ResponseMode }, "query", "form_post"),
	"scopes":              textList(func(c *OIDCClient) *[]string { return &c.Scopes }),
	"sign_out":            isSet(func(c *OIDCClient) *bool { return &c.SignOut }),
	"tls_trust_pool":      parseTrustPool,
	"trust_email":         parseTrustEmail,
	"trust_prompt":        isSet(func(c *OIDCClient) *bool { return &c.TrustPrompt }),
	"user_claim":          text(func(c *OIDCClient) *string { return &c.UserClaim }),
	"userinfo":            choice(func(c *OIDCClient) *string { return &c.UserInfo }, oidc.UserInfoModes...),
}

// everyProvidersOptions are the options of every provider, whatever its type.
var everyProvidersOptions = []string{"title", "keep_groups", "store_tokens", "allow", "deny", "domains", "hidden"}

// parseOption parses one option of a client. further are options that the type has
// beside those.
func (c *OIDCClient) parseOption(d *caddyfile.Dispenser, further ...string) error {
	parse, ok := clientOptions[d.Val()]
	if !ok {
		known := slices.Concat(slices.Collect(maps.Keys(clientOptions)), everyProvidersOptions, further)
		return d.Errf("unrecognized option %q%s", d.Val(), meant(d.Val(), known, globalOptions...))
	}
	return parse(c, d)
}

// parseCheck is run when the block was read.
func (c *OIDCClient) parseCheck(d *caddyfile.Dispenser, open bool) error {
	if err := c.checkAccept(); err != nil {
		return d.WrapErr(err)
	}
	switch {
	case c.ClientID == "" && c.AcceptTokens == nil:
		return d.Err("client_id is missing: the id under which Gatehouse is registered at the provider")
	case open && len(c.TrustEmail) > 0:
		return d.WrapErr(errTrustOpen)
	case c.AssertionAudience != "" && c.ClientKey == "":
		return d.Err("assertion_audience is of use with client_auth private_key_jwt alone")
	case len(c.plain) > 0 && !c.InsecureHTTP:
		return c.plain[0]
	}
	return nil
}

// text is an option of one value.
func text(of func(*OIDCClient) *string) clientOption {
	return func(c *OIDCClient, d *caddyfile.Dispenser) error {
		if *of(c) != "" {
			return d.Errf("%s is given twice", d.Val())
		}
		return oneArg(d, of(c))
	}
}

// textList is an option of one or more words.
func textList(of func(*OIDCClient) *[]string) clientOption {
	return func(c *OIDCClient, d *caddyfile.Dispenser) error {
		if *of(c) != nil {
			return d.Errf("%s is given twice", d.Val())
		}
		return someWords(d, of(c))
	}
}

// isSet is an option without a value.
func isSet(of func(*OIDCClient) *bool) clientOption {
	return func(c *OIDCClient, d *caddyfile.Dispenser) error { return flag(d, of(c)) }
}

// choice is an option whose value is one of some words.
func choice(of func(*OIDCClient) *string, words ...string) clientOption {
	return func(c *OIDCClient, d *caddyfile.Dispenser) error {
		option := d.Val()
		if err := text(of)(c, d); err != nil {
			return err
		}
		if !slices.Contains(words, *of(c)) {
			last := len(words) - 1
			return d.Errf("%s must be %s or %s, not %q%s", option, strings.Join(words[:last], ", "), words[last], *of(c), didYouMean(*of(c), words))
		}
		return nil
	}
}

func parseClientSecret(c *OIDCClient, d *caddyfile.Dispenser) error {
	if err := text(func(c *OIDCClient) *string { return &c.ClientSecret })(c, d); err != nil {
		return err
	}
	warnLiteral(d, "client_secret", c.ClientSecret)
	return nil
}

// parseClientAuth parses `client_auth basic | post | none | private_key_jwt <file>
// [<kid>]`.
func parseClientAuth(c *OIDCClient, d *caddyfile.Dispenser) error {
	if c.ClientAuth != "" {
		return d.Err("client_auth is given twice")
	}
	known := slices.Sorted(maps.Keys(methods))
	args := d.RemainingArgs()
	switch {
	case len(args) == 0:
		return missingValue(d, "client_auth")
	case methods[args[0]] == "":
		return d.Errf("client_auth must be basic, post, none or private_key_jwt FILE, not %q%s", args[0], didYouMean(args[0], known))
	case args[0] != "private_key_jwt" && len(args) > 1:
		return d.Errf("client_auth %s takes no further value", args[0])
	case args[0] == "private_key_jwt" && (len(args) < 2 || len(args) > 3):
		return d.Err("client_auth private_key_jwt needs the file with the private key, and may have the key's id: client_auth private_key_jwt /run/keys/rp.jwk [KID]")
	}
	c.ClientAuth = args[0]
	if len(args) > 1 {
		c.ClientKey = args[1]
	}
	if len(args) > 2 {
		c.ClientKeyID = args[2]
	}
	if err := c.parseCheckKey(d); err != nil {
		return err
	}
	return noBlock(d)
}

// parseCheckKey names the line of a key file that is none. Where the file is not here
// yet, that is judged when the configuration is loaded.
func (c *OIDCClient) parseCheckKey(d *caddyfile.Dispenser) error {
	if c.ClientKey == "" || !isLiteral(c.ClientKey) {
		return nil
	}
	if _, err := os.Stat(c.ClientKey); err != nil {
		return nil //nolint:nilerr // it may be there where the configuration is loaded
	}
	if _, err := readClientKey(c.ClientKey, c.ClientKeyID); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

// parseAuthParam parses `auth_params <name> <value>`, which may be repeated.
func parseAuthParam(c *OIDCClient, d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) != 2 {
		return d.Err("auth_params needs a name and a value: auth_params audience https://api.example.com" + unset)
	}
	for _, own := range []string{"prompt", "acr_values", "response_mode"} {
		if args[0] == own {
			return d.Errf("auth_params %s: there is an option for that: %s %s", own, own, args[1])
		}
	}
	if _, ok := c.AuthParams[args[0]]; ok {
		return d.Errf("auth_params %s is given twice", args[0])
	}
	if c.AuthParams == nil {
		c.AuthParams = make(map[string]string)
	}
	c.AuthParams[args[0]] = args[1]
	return noBlock(d)
}

// parseEndpoints parses `endpoints { <name> <url> … }`.
func parseEndpoints(c *OIDCClient, d *caddyfile.Dispenser) error {
	if c.Endpoints != nil {
		return d.Err("endpoints is given twice")
	}
	if err := noArgsBehind(d); err != nil {
		return err
	}
	c.Endpoints = make(map[string]string)
	known := slices.Sorted(maps.Keys(new(oidc.Endpoints).Named()))
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name := d.Val()
		if !slices.Contains(known, name) {
			return d.Errf("unrecognized endpoint %q%s", name, didYouMean(name, known))
		}
		if c.Endpoints[name] != "" {
			return d.Errf("endpoint %s is given twice", name)
		}
		var url string
		if err := oneArg(d, &url); err != nil {
			return err
		}
		if err := c.parseCheckURL(d, "endpoint "+name, url); err != nil {
			return err
		}
		c.Endpoints[name] = url
	}
	if len(c.Endpoints) == 0 {
		return d.Errf("endpoints needs a block: %s", strings.Join(known, ", "))
	}
	return nil
}

// parseInternalURL parses `internal_url <url>`.
func parseInternalURL(c *OIDCClient, d *caddyfile.Dispenser) error {
	if err := text(func(c *OIDCClient) *string { return &c.InternalURL })(c, d); err != nil {
		return err
	}
	if err := c.parseCheckURL(d, "internal_url", c.InternalURL); err != nil || !isLiteral(c.InternalURL) {
		return err
	}
	if err := oidc.CheckOrigin(c.InternalURL); err != nil {
		return d.WrapErr(fmt.Errorf("internal_url: %w", err))
	}
	return nil
}

// parseCheckURL names the line of an address that a provider cannot have. Whether plain
// http may be used is known at the end of the block.
func (c *OIDCClient) parseCheckURL(d *caddyfile.Dispenser, option, raw string) error {
	if !isLiteral(raw) {
		return nil
	}
	if err := oidc.CheckURL(raw); err != nil {
		return d.WrapErr(fmt.Errorf("%s: %w", option, err))
	}
	if oidc.NeedsInsecureHTTP(raw) {
		c.plain = append(c.plain, d.Errf("%s: %s must be an https URL; in a network that is yours alone, insecure_http allows http", option, raw))
	}
	return nil
}

// parseTrustPool parses `tls_trust_pool <module> …` as Caddy's reverse_proxy does.
func parseTrustPool(c *OIDCClient, d *caddyfile.Dispenser) error {
	if c.TLSTrustPoolRaw != nil {
		return d.Err("tls_trust_pool is given twice")
	}
	if !d.NextArg() {
		return d.Err("tls_trust_pool needs a module: tls_trust_pool file /etc/ca.pem")
	}
	const namespace = "tls.ca_pool.source"
	name := d.Val()
	if known := moduleNames(namespace); !slices.Contains(known, name) {
		return d.Errf("tls_trust_pool: there is no module %q%s", name, didYouMean(name, known))
	}
	module, err := caddyfile.UnmarshalModule(d, namespace+"."+name)
	if err != nil {
		return err
	}
	roots, ok := module.(caddytls.CA)
	if !ok {
		return d.Errf("tls_trust_pool: module %s is none of certificate authorities", name)
	}
	c.TLSTrustPoolRaw = caddyconfig.JSONModuleObject(roots, "provider", name, nil)
	return nil
}

// parseNamespace parses `identity_namespace <name>`.
func parseNamespace(c *OIDCClient, d *caddyfile.Dispenser) error {
	if err := text(func(c *OIDCClient) *string { return &c.IdentityNamespace })(c, d); err != nil {
		return err
	}
	if !validName(c.IdentityNamespace) {
		return d.Errf("identity_namespace %q: only lower-case letters, digits, - and _ are possible", c.IdentityNamespace)
	}
	return nil
}

// parseTrustEmail parses `trust_email <domain…>`.
func parseTrustEmail(c *OIDCClient, d *caddyfile.Dispenser) error {
	if err := textList(func(c *OIDCClient) *[]string { return &c.TrustEmail })(c, d); err != nil {
		return err
	}
	for _, domain := range c.TrustEmail {
		if !identity.IsDomain(domain) {
			return d.Errf("trust_email: %q is not the domain of an e-mail address, such as example.com", domain)
		}
	}
	return nil
}

// parseGroupsClaim parses `groups_claim <claim> [as <shape>]`.
func parseGroupsClaim(c *OIDCClient, d *caddyfile.Dispenser) error {
	if c.GroupsClaim != "" {
		return d.Err("groups_claim is given twice")
	}
	if !d.NextArg() {
		return missingValue(d, "groups_claim")
	}
	c.GroupsClaim = d.Val()
	if err := checkValue(d, "groups_claim", c.GroupsClaim); err != nil {
		return err
	}
	if !d.NextArg() {
		return noBlock(d)
	}
	if d.Val() != "as" || !d.NextArg() {
		return d.Errf("groups_claim takes a claim and, where needed, the shape of its groups: groups_claim %s as %s", c.GroupsClaim, strings.Join(oidc.GroupShapes, " | "))
	}
	if c.GroupsAs = d.Val(); !slices.Contains(oidc.GroupShapes, c.GroupsAs) {
		return d.Errf("groups_claim: shape %q is not known%s", c.GroupsAs, didYouMean(c.GroupsAs, oidc.GroupShapes))
	}
	if d.NextArg() {
		return tooMany(d, "groups_claim")
	}
	return noBlock(d)
}
