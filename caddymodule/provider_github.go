package caddymodule

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddytls"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/provider/github"
)

func init() {
	caddy.RegisterModule(new(GitHub))
}

// GitHub signs in people with a GitHub account. Anybody can open one, so say who
// may enter. Organisations and teams are groups when the scope read:org is asked
// for, as it is where a rule is about groups.
type GitHub struct {
	// The client id of the OAuth or GitHub App. Required. Accepts global
	// placeholders.
	ClientID string `json:"client_id,omitempty"`
	// Its client secret. Required. Accepts global placeholders, and should be
	// one.
	ClientSecret string `json:"client_secret,omitempty"` //nolint:gosec // a placeholder, as a rule
	// What to ask for. Default: `read:user user:email`.
	Scopes []string `json:"scopes,omitempty"`
	// What names the user to policies and upstreams: `email` or `login`.
	// Default: the verified primary e-mail address, else `PROVIDER:ID`.
	UserClaim string `json:"user_claim,omitempty"`
	// The address of a GitHub Enterprise server, or `https://NAME.ghe.com`. Default:
	// `https://github.com`. Accepts global placeholders.
	URL string `json:"url,omitempty"`
	// The authorities that such a server's certificates are verified by. Default: the
	// system's.
	TLSTrustPoolRaw json.RawMessage `json:"tls_trust_pool,omitempty" caddy:"namespace=tls.ca_pool.source inline_key=provider"`

	id, secret, url string
	roots           caddytls.CA
}

// CaddyModule returns the Caddy module information.
func (*GitHub) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: providerNamespace + ".github", New: func() caddy.Module { return new(GitHub) }}
}

// Provision expands placeholders.
func (g *GitHub) Provision(ctx caddy.Context) error {
	var noID, noSecret, noURL, noRoots error
	g.id, noID = expand("client_id", g.ClientID)
	g.secret, noSecret = expand("client_secret", g.ClientSecret)
	if g.URL != "" {
		g.url, noURL = expand("url", g.URL)
	}
	if g.TLSTrustPoolRaw != nil {
		g.roots, noRoots = loadTrustPool(ctx, g)
	}
	return together(noID, noSecret, noURL, noRoots)
}

// AnyoneCanJoin implements [OpenProvider]. An Enterprise server has accounts of
// its own.
func (g *GitHub) AnyoneCanJoin() bool { return github.IsOpen(cmp.Or(g.url, g.URL)) }

func (g *GitHub) userNames() userNames {
	return userNames{emails: g.UserClaim != "login", anything: g.UserClaim == "login"}
}

var gitHubOptions = []string{"client_id", "client_secret", "scopes", "tls_trust_pool", "url", "user_claim"}

// UnmarshalCaddyfile parses:
//
//	provider github {
//		client_id     <id>
//		client_secret <secret>
//		scopes        <scope…>
//		user_claim    email | login
//		url           <url>
//		tls_trust_pool <module> …
//	}
func (g *GitHub) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the type
	if err := noArgsBehind(d); err != nil {
		return err
	}
	client := OIDCClient{}
	for d.NextBlock(0) {
		switch {
		case d.Val() == "url":
			if err := g.parseURL(d); err != nil {
				return err
			}
		case !slices.Contains(gitHubOptions, d.Val()):
			return d.Errf("unrecognized option %q%s", d.Val(), meant(d.Val(), slices.Concat(gitHubOptions, everyProvidersOptions), globalOptions...))
		default:
			if err := client.parseOption(d); err != nil {
				return err
			}
		}
	}
	g.ClientID, g.ClientSecret, g.Scopes, g.UserClaim = client.ClientID, client.ClientSecret, client.Scopes, client.UserClaim
	g.TLSTrustPoolRaw = client.TLSTrustPoolRaw
	if g.ClientSecret == "" {
		return d.Err("client_secret is missing: GitHub gives one to every app")
	}
	return client.parseCheck(d, false)
}

func (g *GitHub) parseURL(d *caddyfile.Dispenser) error {
	if g.URL != "" {
		return d.Err("url is given twice")
	}
	if err := oneArg(d, &g.URL); err != nil {
		return err
	}
	if !isLiteral(g.URL) {
		return nil
	}
	if err := github.CheckURL(g.URL); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

func (*GitHub) checkGroup(group string) error {
	if github.IsGroup(group) {
		return nil
	}
	if lower := strings.ToLower(group); github.IsGroup(lower) {
		return fmt.Errorf("GitHub's groups are written in lower case: %s", lower)
	}
	return errors.New("GitHub's groups are an organization, or one and its team, in lower case: acme, or acme/devs")
}

// OpenProvider implements [ProviderModule].
func (g *GitHub) OpenProvider(b ProviderBlock) (provider.Provider, error) {
	config := github.Config{
		Name: b.Name, Title: b.Title, ClientID: g.id, ClientSecret: g.secret,
		Scopes: g.Scopes, UserClaim: g.UserClaim, BaseURL: g.url, Now: time.Now,
		Logger: b.Logger,
	}
	if g.roots != nil {
		config.RootCAs = g.roots.CertPool()
	}
	return github.New(config)
}

// Interface guards
var (
	_ caddy.Provisioner     = (*GitHub)(nil)
	_ caddyfile.Unmarshaler = (*GitHub)(nil)
	_ ProviderModule        = (*GitHub)(nil)
	_ OpenProvider          = (*GitHub)(nil)
)
