package caddymodule

import (
	"errors"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/vault"
)

// StoreTokensConfig says how the tokens of a provider are kept.
type StoreTokensConfig struct {
	// Whether a token that another one displaced is revoked at the provider.
	// Right only where that leaves the other one alone; at many providers it
	// ends the whole grant. Default: false.
	RevokeDisplaced bool `json:"revoke_displaced,omitempty"`
	// Whether the provider narrows access tokens: a refresh may ask for fewer scopes, or
	// a token for one resource. Token exchange then gives out no more than was asked
	// for. Default: false.
	Narrow bool `json:"narrow,omitempty"`
}

// parseStoreTokens parses `store_tokens [revoke_displaced] [narrow]`.
func parseStoreTokens(d *caddyfile.Dispenser, config *ProviderConfig) error {
	if config.StoreTokens != nil {
		return d.Err("store_tokens is given twice")
	}
	config.StoreTokens = new(StoreTokensConfig)
	for _, arg := range d.RemainingArgs() {
		switch {
		case arg == "revoke_displaced" && !config.StoreTokens.RevokeDisplaced:
			config.StoreTokens.RevokeDisplaced = true
		case arg == "narrow" && !config.StoreTokens.Narrow:
			config.StoreTokens.Narrow = true
		default:
			return d.Errf("store_tokens takes revoke_displaced and narrow, each once; found %q%s", arg, didYouMean(arg, []string{"revoke_displaced", "narrow"}))
		}
	}
	return noBlock(d)
}

// checkStoreTokens refuses to keep the tokens of a provider that gives none.
func (p *ProviderConfig) checkStoreTokens(opened provider.Provider) error {
	if _, ok := opened.(provider.Refresher); p.StoreTokens != nil && !ok {
		return errors.New("store_tokens is of no use: its tokens cannot be refreshed")
	}
	if _, ok := opened.(provider.Narrower); p.StoreTokens != nil && p.StoreTokens.Narrow && !ok {
		return errors.New("store_tokens narrow: this provider cannot narrow tokens")
	}
	return nil
}

// withOffline adds the scope for refresh tokens (OpenID Connect Core, section
// 11) to the scopes asked for, if tokens are kept.
func (b ProviderBlock) withOffline(scopes []string) []string {
	const offline = "offline_access"
	if !b.StoreTokens || slices.Contains(scopes, offline) {
		return scopes
	}
	if len(scopes) == 0 {
		scopes = []string{"openid", "profile", "email"}
	}
	return append(slices.Clone(scopes), offline)
}

// routeScopes are what guards want of a provider's tokens beside its own scopes.
func (a *App) routeScopes(name string) []string {
	a.guardsMu.Lock()
	defer a.guardsMu.Unlock()
	var scopes []string
	for _, g := range a.guards {
		if g.ProviderToken == name && !g.ProviderTokenService {
			scopes = append(scopes, g.ProviderTokenScopes...)
		}
	}
	return scopes
}

// newVault makes the vault of the providers whose tokens are kept, or nil when
// there are none.
func (a *App) newVault(entry *shared) (*vault.Vault, error) {
	var sources []vault.Source
	for i, c := range a.Providers {
		if c.StoreTokens != nil {
			sources = append(sources, vault.Source{
				Provider: a.providers[i], RevokeDisplaced: c.StoreTokens.RevokeDisplaced, Narrow: c.StoreTokens.Narrow, Scopes: a.routeScopes(c.Name),
			})
		}
	}
	if len(sources) == 0 {
		return nil, nil //nolint:nilnil // nothing is to be kept, and that is no error
	}
	return vault.New(vault.Config{
		Store: entry.store, Keyring: entry.keys, Sources: sources, Now: time.Now, Logger: a.logger,
		Counted: func(provider, result string) { tokenRefreshes.WithLabelValues(provider, result).Inc() },
	})
}
