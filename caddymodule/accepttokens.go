package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/provider/oidc"
)

// AcceptTokens is how guards that name the provider accept tokens that it issued to
// programs itself.
type AcceptTokens struct {
	// Audiences. A token must name one of them. Required.
	Audience []string `json:"audience,omitempty"`
	// Whether all tokens of the provider are for programs, though they have the form of
	// ID tokens, as at Kubernetes and GitHub Actions. Default: only tokens of the type
	// `at+jwt` are accepted (RFC 9068).
	Workload bool `json:"workload,omitempty"`
	// Whether the provider is asked about tokens that are not JWTs (RFC 7662). This needs
	// a client id and secret. Default: they are not accepted.
	Introspect bool `json:"introspect,omitempty"`
}

// parseAcceptTokens parses:
//
//	accept_tokens {
//		audience <audience…>
//		workload
//		introspect
//	}
func parseAcceptTokens(c *OIDCClient, d *caddyfile.Dispenser) error {
	if c.AcceptTokens != nil {
		return d.Err("accept_tokens is given twice")
	}
	if line := *d; line.NextArg() {
		return d.Errf("accept_tokens takes no value in its line; its block names who the tokens must be for: audience %s", line.Val())
	}
	a := new(AcceptTokens)
	c.AcceptTokens = a
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		var err error
		switch d.Val() {
		case "audience":
			err = someArgs(d, &a.Audience)
		case "workload":
			err = flag(d, &a.Workload)
		case "introspect":
			err = flag(d, &a.Introspect)
		default:
			return d.Errf("unrecognized option %q of accept_tokens%s", d.Val(), didYouMean(d.Val(), []string{"audience", "workload", "introspect"}))
		}
		if err != nil {
			return err
		}
	}
	if len(a.Audience) == 0 {
		return d.Err("accept_tokens needs the audience that tokens must be for, such as: audience https://deploy.example.com; without it, a token that somebody gave another service would open this one")
	}
	return nil
}

// onlyTokens reports whether nobody signs in at the provider.
func (c *OIDCClient) onlyTokens() bool { return c.ClientID == "" && c.AcceptTokens != nil }

// signInOptions are options of a provider's block that are of use for signing in alone,
// and whether they are there.
func (c *OIDCClient) signInOptions() map[string]bool {
	return map[string]bool{
		"client_secret": c.ClientSecret != "", "client_auth": c.ClientAuth != "", "scopes": c.Scopes != nil, "auth_params": c.AuthParams != nil,
		"prompt": c.Prompt != "", "acr_values": c.ACRValues != nil, "response_mode": c.ResponseMode != "", "par": c.PAR, "sign_out": c.SignOut,
		"trust_prompt": c.TrustPrompt, "userinfo": c.UserInfo != "",
	}
}

// checkAccept judges what stands beside accept_tokens.
func (c *OIDCClient) checkAccept() error {
	if c.AcceptTokens == nil {
		return nil
	}
	if c.AcceptTokens.Introspect && c.ClientID == "" {
		return errors.New("accept_tokens introspect needs client_id and client_secret: a provider answers only its clients about tokens")
	}
	if !c.onlyTokens() {
		return nil
	}
	for _, name := range sortedKeys(c.signInOptions()) {
		if c.signInOptions()[name] {
			return fmt.Errorf("%s is only for signing in, and without client_id nobody signs in at this provider; add client_id, or remove %s", name, name)
		}
	}
	return nil
}

// accept is how tokens are taken, for package oidc.
func (a *AcceptTokens) accept() (*oidc.Accept, error) {
	if a == nil {
		return nil, nil
	}
	accept := &oidc.Accept{Workload: a.Workload, Introspect: a.Introspect}
	for _, audience := range a.Audience {
		expanded, err := expand("accept_tokens audience", audience)
		if err != nil {
			return nil, err
		}
		accept.Audience = append(accept.Audience, expanded)
	}
	return accept, nil
}

// parseAccept parses `accept_tokens <provider…>` of a guard.
func (g *Guard) parseAccept(h httpcaddyfile.Helper, app *App) error {
	if g.AcceptTokens != nil {
		return h.Err("accept_tokens is given twice; name all providers in one line")
	}
	if err := someWords(h.Dispenser, &g.AcceptTokens); err != nil {
		return err
	}
	for _, name := range g.AcceptTokens {
		if !slices.Contains(app.providerNames(), name) {
			return h.Errf("accept_tokens: provider %q is not defined%s", name, didYouMean(name, app.providerNames()))
		}
	}
	return nil
}

// provisionAccept finds the providers whose tokens the guard takes.
func (g *Guard) provisionAccept() error {
	var asked []string
	for _, name := range g.AcceptTokens {
		p, err := g.app.acceptor(name)
		if err != nil {
			return err
		}
		if p.Introspects() {
			asked = append(asked, name)
		}
	}
	if len(asked) > 1 {
		return fmt.Errorf("accept_tokens: the providers %s all use introspect, so each would be sent the others' tokens; name only one of them", strings.Join(asked, " and "))
	}
	g.rules.Accept = g.AcceptTokens
	return nil
}

func (a *App) acceptor(name string) (provider.TokenAcceptor, error) {
	for _, p := range a.providers {
		if p.Name() != name {
			continue
		}
		acceptor, ok := p.(provider.TokenAcceptor)
		if !ok || !acceptor.AcceptsTokens() {
			return nil, fmt.Errorf("accept_tokens: provider %s does not say which tokens are taken; write in its block: accept_tokens { audience https://app.example.com }", name)
		}
		return acceptor, nil
	}
	return nil, fmt.Errorf("accept_tokens: provider %q is not defined%s", name, didYouMean(name, a.providerNames()))
}

// acceptors are the providers whose tokens are taken, by name.
func (a *App) acceptors() map[string]provider.TokenAcceptor {
	found := make(map[string]provider.TokenAcceptor)
	for _, p := range a.providers {
		if acceptor, ok := p.(provider.TokenAcceptor); ok && acceptor.AcceptsTokens() {
			found[p.Name()] = acceptor
		}
	}
	return found
}

// isOnlyTokens reports whether nobody signs in at a provider.
func isOnlyTokens(p provider.Provider) bool {
	acceptor, ok := p.(provider.TokenAcceptor)
	return ok && acceptor.OnlyTokens()
}

// signInProviders are those at which people sign in.
func (a *App) signInProviders() []provider.Provider {
	return slices.DeleteFunc(slices.Clone(a.providers), isOnlyTokens)
}

// checkOnlyTokens refuses options for people in the block of a provider at which nobody
// signs in.
func (p *ProviderConfig) checkOnlyTokens(opened provider.Provider) error {
	if p.onlyTokens = isOnlyTokens(opened); !p.onlyTokens {
		return nil
	}
	for option, given := range map[string]bool{"hidden": p.Hidden, "domains": len(p.Domains) > 0, "store_tokens": p.StoreTokens != nil} {
		if given {
			return fmt.Errorf("%s is only for signing in, and without client_id nobody signs in at this provider", option)
		}
	}
	return nil
}

// peekOnlyTokens is onlyTokens of a module that is not provisioned.
func (p *ProviderConfig) peekOnlyTokens() bool {
	var c struct {
		ClientID     string        `json:"client_id"`
		AcceptTokens *AcceptTokens `json:"accept_tokens"`
	}
	return json.Unmarshal(p.ModuleRaw, &c) == nil && c.ClientID == "" && c.AcceptTokens != nil
}
