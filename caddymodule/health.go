package caddymodule

import (
	"context"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

// Health is what a gateway says of itself.
type Health struct {
	// Status is "ok", or "degraded" when a store or a signing key cannot be used.
	Status string `json:"status"`
	// TokenStore and Cache are "up", or what is wrong.
	TokenStore string `json:"token_store"`
	Cache      string `json:"cache"`
	// SigningKeys is what is wrong with them and what to do, or "".
	SigningKeys string `json:"signing_keys,omitempty"`
	// MonthsAhead is how many months of sessions are ready beyond the current
	// one, -1 if that is not known yet.
	MonthsAhead int64 `json:"months_ahead"`
	// Issuer is the portal's URL, or "".
	Issuer string `json:"issuer,omitempty"`
	// PortalElsewhere is true when no site of this configuration is the portal, so
	// that another gateway must serve the issuer.
	PortalElsewhere bool `json:"portal_elsewhere,omitempty"`
	// Sites are the origins of the guarded sites.
	Sites []string `json:"sites"`
	// Faults of the configuration keep people from signing in, and Warnings may:
	// sentences for an operator, with the cure.
	Faults   []string `json:"faults,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
	// Providers by name, in the order of the configuration.
	Providers []ProviderInfo `json:"providers"`
}

// ProviderInfo is what has to be known of one provider.
type ProviderInfo struct {
	Name   string `json:"name"`
	Issuer string `json:"issuer"`
	// RedirectURIs are to be registered at the provider.
	RedirectURIs []string `json:"redirect_uris,omitempty"`
	// PostLogoutRedirectURIs are to be registered where people are signed out there too.
	PostLogoutRedirectURIs []string `json:"post_logout_redirect_uris,omitempty"`
	// BackchannelLogoutURIs may be registered, for the provider to tell of its sign-outs.
	BackchannelLogoutURIs []string `json:"backchannel_logout_uris,omitempty"`
	// State is "ok", or what is wrong; "" where the provider was not asked.
	State string `json:"state,omitempty"`
	// Warnings are what may be wrong.
	Warnings []string `json:"warnings,omitempty"`
}

const up = "up"

// pingTimeout is how long a store may take to say that it is there.
const pingTimeout = 3 * time.Second

func (a *App) health(ctx context.Context) Health {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	h := a.describe()
	h.TokenStore = state(a.shared.store.Ping(ctx))
	h.Cache = state(a.shared.cache.Ping(ctx))
	h.MonthsAhead = a.shared.ahead.Load()
	if err := a.shared.tokens.Sealed(); err != nil {
		h.SigningKeys = err.Error()
	}
	if err := a.shared.tokens.Unread(); err != nil {
		h.Warnings = append(slices.Clone(h.Warnings), withoutSigningKeys(err).Error()+"; the keys known before stay in use until the server stops")
	}
	if h.TokenStore != up || h.Cache != up || h.SigningKeys != "" {
		h.Status = "degraded"
	}
	return h
}

func state(err error) string {
	if err != nil {
		return err.Error()
	}
	return up
}

// describe is what the configuration alone says.
func (a *App) describe() Health {
	h := Health{Status: "ok", MonthsAhead: -1, Issuer: a.issuer, PortalElsewhere: a.portalElsewhere(), Sites: origins(a.sites), Faults: a.faults, Warnings: a.warnings}
	places := []string{a.issuer}
	if a.issuer == "" {
		places = nil
		for _, origin := range h.Sites {
			places = append(places, origin+"/.gatehouse")
		}
	}
	for _, p := range a.providers {
		info := ProviderInfo{Name: p.Name(), Issuer: p.Issuer()}
		if isOnlyTokens(p) {
			h.Providers = append(h.Providers, info)
			continue
		}
		_, redirects := p.(provider.Redirect)
		verifier, ok := p.(provider.LogoutVerifier)
		tells := ok && verifier.TellsLogouts()
		ends, ok := p.(provider.EndSessioner)
		for _, place := range places {
			place = trimSlash(place)
			if redirects {
				info.RedirectURIs = append(info.RedirectURIs, place+"/callback/"+p.Name())
			}
			if ok && ends.SignsOut() {
				info.PostLogoutRedirectURIs = append(info.PostLogoutRedirectURIs, place+"/logout")
			}
			if tells {
				info.BackchannelLogoutURIs = append(info.BackchannelLogoutURIs, place+"/backchannel_logout/"+p.Name())
			}
		}
		h.Providers = append(h.Providers, info)
	}
	return h
}

func trimSlash(s string) string {
	for len(s) > 0 && s[len(s)-1] == '/' {
		s = s[:len(s)-1]
	}
	return s
}
