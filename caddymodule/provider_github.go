package caddymodule

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

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
	// The address of a GitHub Enterprise server. Default:
	// `https://github.com`.
	URL string `json:"url,omitempty"`

	id, secret string
}

// CaddyModule returns the Caddy module information.
func (*GitHub) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: providerNamespace + ".github", New: func() caddy.Module { return new(GitHub) }}
}

// Provision expands placeholders.
func (g *GitHub) Provision(caddy.Context) error {
	var noID, noSecret error
	g.id, noID = expand("client_id", g.ClientID)
	g.secret, noSecret = expand("client_secret", g.ClientSecret)
	return together(noID, noSecret)
}

// AnyoneCanJoin implements [OpenProvider]. An Enterprise server has accounts of
// its own.
func (g *GitHub) AnyoneCanJoin() bool { return g.URL == "" || g.URL == "https://github.com" }

func (g *GitHub) userNames() userNames {
	return userNames{emails: g.UserClaim != "login", anything: g.UserClaim == "login"}
}

var gitHubOptions = []string{"client_id", "client_secret", "scopes", "url", "user_claim"}

// UnmarshalCaddyfile parses:
//
//	provider github {
//		client_id     <id>
//		client_secret <secret>
//		scopes        <scope…>
//		user_claim    email | login
//		url           <url>
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
			if err := oneArg(d, &g.URL); err != nil {
				return err
			}
		case !slices.Contains(gitHubOptions, d.Val()):
			return d.Errf("unrecognized option %q%s", d.Val(), meantInProvider(d.Val(), slices.Concat(gitHubOptions, everyProvidersOptions)))
		default:
			if err := client.parseOption(d); err != nil {
				return err
			}
		}
	}
	g.ClientID, g.ClientSecret, g.Scopes, g.UserClaim = client.ClientID, client.ClientSecret, client.Scopes, client.UserClaim
	if g.ClientSecret == "" {
		return d.Err("client_secret is missing: GitHub gives one to every app")
	}
	return client.parseCheck(d, false)
}

func (*GitHub) checkGroup(group string) error {
	if github.IsGroup(group) {
		return nil
	}
	if lower := strings.ToLower(group); github.IsGroup(lower) {
		return fmt.Errorf("GitHub's groups are written in lower case: %s", lower)
	}
	return errors.New("GitHub's groups are an organisation, or one and its team, in lower case: acme, or acme/devs")
}

// OpenProvider implements [ProviderModule].
func (g *GitHub) OpenProvider(b ProviderBlock) (provider.Provider, error) {
	return github.New(github.Config{
		Name: b.Name, Title: b.Title, ClientID: g.id, ClientSecret: g.secret,
		Scopes: g.Scopes, UserClaim: g.UserClaim, BaseURL: g.URL, Now: time.Now,
		Logger: b.Logger,
	})
}

// Interface guards
var (
	_ caddy.Provisioner     = (*GitHub)(nil)
	_ caddyfile.Unmarshaler = (*GitHub)(nil)
	_ ProviderModule        = (*GitHub)(nil)
	_ OpenProvider          = (*GitHub)(nil)
)
