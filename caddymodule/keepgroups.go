package caddymodule

import (
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/policy"
)

// keep says which groups of a provider's users are kept. It is asked at sign-ins, when
// all guards are known.
func (a *App) keep(name string) identity.Keep {
	a.keeps.once.Do(func() {
		named := a.namedGroups()
		a.keeps.of = make(map[string]identity.Keep, len(a.Providers))
		for _, p := range a.Providers {
			a.keeps.of[p.Name] = identity.NewKeep(named, p.KeepGroups)
		}
	})
	return a.keeps.of[name]
}

// namedGroups are those that rules and matchers name. That a rule is about another
// provider makes no difference: a group too many does no harm.
func (a *App) namedGroups() []string {
	var named []string
	for _, p := range a.callers {
		named = append(named, p.Groups()...)
	}
	for _, p := range a.Policies {
		named = append(named, p.Groups()...)
	}
	a.guardsMu.Lock()
	defer a.guardsMu.Unlock()
	for _, g := range a.guards {
		own := policy.Policy{Allow: g.Allow, Deny: g.Deny}
		named = append(named, own.Groups()...)
	}
	return append(named, a.matchedGroups...)
}

// parseKeepGroups parses `keep_groups <glob…>`.
func parseKeepGroups(d *caddyfile.Dispenser, config *ProviderConfig) error {
	if config.KeepGroups != nil {
		return d.Err("keep_groups is given twice")
	}
	if err := someWords(d, &config.KeepGroups); err != nil {
		return err
	}
	if i := slices.IndexFunc(config.KeepGroups, func(glob string) bool { return !identity.IsGroup(strings.ReplaceAll(glob, "*", "x")) }); i >= 0 {
		return d.Errf("keep_groups: %q matches no group: one has at most %d bytes, no control characters, and no space at its ends", config.KeepGroups[i], identity.MaxGroup)
	}
	return nil
}
