package caddymodule

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/gatehouse-auth/gatehouse/flows"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

// parseDomains parses `domains <domain…>`.
func parseDomains(d *caddyfile.Dispenser, config *ProviderConfig) error {
	if config.Domains != nil {
		return d.Err("domains is given twice")
	}
	if err := someWords(d, &config.Domains); err != nil {
		return err
	}
	for _, domain := range config.Domains {
		if !identity.IsDomain(domain) {
			return d.Errf("domains: %q is not the domain of an e-mail address, such as example.com", domain)
		}
	}
	return nil
}

// checkOffers refuses ways to sign in that lead nowhere, or to two providers.
func (a *App) checkOffers() error {
	owner := make(map[string]string)
	hidden := 0
	for i, c := range a.Providers {
		if c.Hidden {
			hidden++
		}
		if _, ok := a.providers[i].(provider.Redirect); !ok && len(c.Domains) > 0 {
			return fmt.Errorf("provider %s: domains is of no use, since nobody is sent there: people type their user name and password here", c.Name)
		}
		for _, domain := range c.Domains {
			domain = strings.ToLower(domain)
			if other, ok := owner[domain]; ok {
				return fmt.Errorf("providers %s and %s: both have the domain %s, and people of it can be sent to one alone", other, c.Name, domain)
			}
			owner[domain] = c.Name
		}
	}
	if hidden > 0 && hidden == len(a.Providers) && len(owner) == 0 {
		return errors.New("every provider is hidden, and none has domains: people could choose none; take hidden away from one")
	}
	return nil
}

// offers are how people come to the providers.
func (a *App) offers() map[string]flows.Offer {
	offers := make(map[string]flows.Offer, len(a.Providers))
	for _, c := range a.Providers {
		offers[c.Name] = flows.Offer{Hidden: c.Hidden, Domains: c.Domains}
	}
	return offers
}

// parseProvider parses `provider <name>` of a guard.
func (g *Guard) parseProvider(h httpcaddyfile.Helper, app *App) error {
	if g.Provider != "" {
		return h.Err("provider is given twice; people are sent to one")
	}
	if err := oneArg(h.Dispenser, &g.Provider); err != nil {
		return err
	}
	if err := app.checkPicked(g.Provider); err != nil {
		return h.WrapErr(err)
	}
	return nil
}

// checkPicked refuses a guard that picks a provider that is not there.
func (a *App) checkPicked(name string) error {
	if i := slices.Index(a.providerNames(), name); name != "" && i >= 0 && (a.Providers[i].onlyTokens || a.Providers[i].peekOnlyTokens()) {
		return fmt.Errorf("nobody signs in at provider %q: its block has no client_id", name)
	}
	if name == "" || slices.Contains(a.providerNames(), name) {
		return nil
	}
	return fmt.Errorf("provider %q is not defined%s", name, didYouMean(name, a.providerNames()))
}
