package caddymodule

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/provider/oidc"
)

func init() {
	caddy.RegisterModule(new(OIDC))
	caddy.RegisterModule(new(Google))
}

// OIDCClient is how Gatehouse is known at a provider by OpenID Connect.
type OIDCClient struct {
	// The client id. Required. Accepts global placeholders.
	ClientID string `json:"client_id,omitempty"`
	// The client secret; a public client has none. Accepts global
	// placeholders, and should be one.
	ClientSecret string `json:"client_secret,omitempty"` //nolint:gosec // a placeholder, as a rule
	// What to ask for. Default: `openid profile email`.
	Scopes []string `json:"scopes,omitempty"`
	// The claim that holds the groups; a name that no claim has is read as a path,
	// such as `realm_access.roles`. Default: `groups`.
	GroupsClaim string `json:"groups_claim,omitempty"`
	// The shape of the groups there: `name` or `id` for a list of objects whose
	// member of that name is the group, `keys` for an object whose names are the
	// groups, `comma_separated` or `space_separated` for one string. Default: a list
	// of strings, or one string that can only be one group. Groups in another shape
	// cannot be read, and rules about groups refuse their user.
	GroupsAs string `json:"groups_as,omitempty"`
	// When the userinfo endpoint is asked: `auto`, if the ID token lacks what the
	// configuration needs; `always`; or `never`. Default: `auto`.
	UserInfo string `json:"userinfo,omitempty"`
	// The claim that names the user to policies and upstreams. Default: the
	// verified e-mail address, else `PROVIDER:sub`.
	UserClaim string `json:"user_claim,omitempty"`
}

var clientOptions = []string{"client_id", "client_secret", "groups_claim", "scopes", "user_claim", "userinfo"}

// parseOption parses one option, if it is a client's.
func (c *OIDCClient) parseOption(d *caddyfile.Dispenser) error {
	texts := map[string]*string{
		"client_id": &c.ClientID, "client_secret": &c.ClientSecret,
		"user_claim": &c.UserClaim, "userinfo": &c.UserInfo,
	}
	option := d.Val()
	if option == "groups_claim" {
		return c.parseGroupsClaim(d)
	}
	if option == "scopes" {
		if c.Scopes != nil {
			return d.Err("scopes is given twice")
		}
		return someWords(d, &c.Scopes)
	}
	target, ok := texts[option]
	if !ok {
		return d.Errf("unrecognized option %q%s", option, meant(option, append(slices.Clone(clientOptions), "title", "store_tokens", "allow", "deny"), globalOptions...))
	}
	if *target != "" {
		return d.Errf("%s is given twice", option)
	}
	if err := oneArg(d, target); err != nil {
		return err
	}
	switch option {
	case "client_secret":
		warnLiteral(d, option, *target)
	case "userinfo":
		if !slices.Contains(oidc.UserInfoModes, c.UserInfo) {
			return d.Errf("userinfo must be auto, always or never, not %q%s", c.UserInfo, didYouMean(c.UserInfo, oidc.UserInfoModes))
		}
	}
	return nil
}

// parseGroupsClaim parses `groups_claim <claim> [as <shape>]`.
func (c *OIDCClient) parseGroupsClaim(d *caddyfile.Dispenser) error {
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

// parseCheck is run when the block was read.
func (c *OIDCClient) parseCheck(d *caddyfile.Dispenser) error {
	if c.ClientID == "" {
		return d.Err("client_id is missing: the id under which Gatehouse is registered at the provider")
	}
	return nil
}

// expanded is the client with its placeholders replaced.
func (c OIDCClient) expanded() (OIDCClient, error) {
	var noID, noSecret error
	c.ClientID, noID = expand("client_id", c.ClientID)
	if c.ClientSecret != "" {
		c.ClientSecret, noSecret = expand("client_secret", c.ClientSecret)
	}
	return c, together(noID, noSecret)
}

func (c OIDCClient) userNames() userNames {
	return userNames{emails: c.UserClaim == "" || c.UserClaim == "email", anything: c.UserClaim != "" && c.UserClaim != "email"}
}

// config is what the client says, for package oidc.
func (c OIDCClient) config(b ProviderBlock) oidc.Config {
	return oidc.Config{
		Name: b.Name, Title: b.Title, ClientID: c.ClientID, ClientSecret: c.ClientSecret,
		Scopes: b.withOffline(c.Scopes), GroupsClaim: c.GroupsClaim, GroupsAs: c.GroupsAs, UserClaim: c.UserClaim,
		UserInfo: c.UserInfo,
		Now:      time.Now, Logger: b.Logger,
	}
}

// OIDC is an identity provider by OpenID Connect. Its metadata are fetched when
// they are first needed, so that the provider may be started later, or by this
// very Caddy.
type OIDC struct {
	// The provider's issuer. Required. Accepts global placeholders.
	Issuer string `json:"issuer,omitempty"`
	OIDCClient

	issuer string
	client OIDCClient
}

// CaddyModule returns the Caddy module information.
func (*OIDC) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: providerNamespace + ".oidc", New: func() caddy.Module { return new(OIDC) }}
}

// Provision expands placeholders.
func (o *OIDC) Provision(caddy.Context) error {
	if o.Issuer == "" {
		return errors.New("issuer is missing: provider NAME oidc ISSUER")
	}
	var err error
	if o.issuer, err = expand("issuer", o.Issuer); err != nil {
		return err
	}
	if err := checkIssuer(o.issuer, "https://sso.example.com"); err != nil {
		return err
	}
	o.client, err = o.expanded()
	return err
}

// openIssuers are hosts where anybody can open an account, and, for Entra, the
// tenants that stand for all.
var openIssuers = []string{"accounts.google.com", "gitlab.com", "appleid.apple.com", "orcid.org", "sandbox.orcid.org"}

var openTenants = []string{"common", "consumers", "organizations", "9188040d-6c67-4c5b-b112-36a304b66dad"}

// AnyoneCanJoin implements [OpenProvider].
func (o *OIDC) AnyoneCanJoin() bool {
	issuer := o.issuer
	if issuer == "" {
		issuer = o.Issuer
	}
	u, err := url.Parse(issuer)
	if err != nil {
		return false
	}
	host := strings.ToLower(u.Hostname())
	if host == "login.microsoftonline.com" || host == "sts.windows.net" {
		tenant, _, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
		return slices.Contains(openTenants, strings.ToLower(tenant))
	}
	return slices.Contains(openIssuers, host)
}

// UnmarshalCaddyfile parses:
//
//	provider <name> oidc <issuer> {
//		client_id     <id>
//		client_secret <secret>
//		scopes        <scope…>
//		groups_claim  <claim> [as name | id | keys | comma_separated | space_separated]
//		user_claim    <claim>
//		userinfo      auto | always | never
//	}
func (o *OIDC) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the type
	if !d.AllArgs(&o.Issuer) {
		return d.Err("provider oidc needs its issuer: provider NAME oidc https://sso.example.com" + unset)
	}
	if isLiteral(o.Issuer) {
		if err := checkIssuer(o.Issuer, "https://sso.example.com"); err != nil {
			return d.WrapErr(err)
		}
	}
	for d.NextBlock(0) {
		if err := o.parseOption(d); err != nil {
			return err
		}
	}
	return o.parseCheck(d)
}

// OpenProvider implements [ProviderModule].
func (o *OIDC) OpenProvider(b ProviderBlock) (provider.Provider, error) {
	config := o.client.config(b)
	config.Issuer = o.issuer
	return oidc.New(config)
}

// Google signs in people with a Google account. Anybody can open one, so say who
// may enter.
type Google struct {
	OIDCClient

	client OIDCClient
}

// CaddyModule returns the Caddy module information.
func (*Google) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: providerNamespace + ".google", New: func() caddy.Module { return new(Google) }}
}

// Provision expands placeholders.
func (g *Google) Provision(caddy.Context) error {
	var err error
	g.client, err = g.expanded()
	return err
}

// AnyoneCanJoin implements [OpenProvider].
func (*Google) AnyoneCanJoin() bool { return true }

// UnmarshalCaddyfile parses:
//
//	provider google {
//		client_id     <id>
//		client_secret <secret>
//		scopes        <scope…>
//		groups_claim  <claim> [as name | id | keys | comma_separated | space_separated]
//		user_claim    <claim>
//		userinfo      auto | always | never
//	}
func (g *Google) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the type
	if err := noArgsBehind(d); err != nil {
		return err
	}
	for d.NextBlock(0) {
		if err := g.parseOption(d); err != nil {
			return err
		}
	}
	return g.parseCheck(d)
}

// OpenProvider implements [ProviderModule].
func (g *Google) OpenProvider(b ProviderBlock) (provider.Provider, error) {
	return oidc.New(oidc.Google(g.client.config(b)))
}

// Interface guards
var (
	_ caddy.Provisioner     = (*OIDC)(nil)
	_ caddyfile.Unmarshaler = (*OIDC)(nil)
	_ ProviderModule        = (*OIDC)(nil)
	_ OpenProvider          = (*OIDC)(nil)
	_ caddy.Provisioner     = (*Google)(nil)
	_ caddyfile.Unmarshaler = (*Google)(nil)
	_ ProviderModule        = (*Google)(nil)
	_ OpenProvider          = (*Google)(nil)
)
