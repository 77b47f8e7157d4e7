package caddymodule

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/policy"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

// setNeeds tells the providers which of their claims this configuration looks at.
// It is called once, when all guards are known and before anybody signs in.
func (a *App) setNeeds() {
	for _, p := range a.providers {
		if asks, ok := p.(provider.NeedsClaims); ok {
			asks.SetNeeds(a.needs(p.Name()))
		}
	}
}

// needs are the claims of a provider's users that rules, headers, matchers and the
// scopes of clients look at.
func (a *App) needs(name string) identity.Needs {
	needs := a.callers[name].Needs(name)
	for _, p := range a.Policies {
		needs = needs.Join(p.Needs(name))
	}
	a.guardsMu.Lock()
	defer a.guardsMu.Unlock()
	for _, g := range a.guards {
		own := policy.Policy{Allow: g.Allow, Deny: g.Deny}
		needs = needs.Join(own.Needs(name)).Join(g.headers.needs())
	}
	for _, c := range a.clients {
		needs = needs.Join(scopeNeeds(c.Scopes))
	}
	if len(a.Sites) > 0 { // whose rules are in another configuration
		needs = needs.Join(identity.Needs{User: identity.Perhaps, Email: identity.Perhaps, Name: identity.Shown, Groups: identity.Perhaps, Claims: identity.Perhaps})
	}
	return needs.Join(a.matched)
}

// joinMatcher makes known what a matcher looks at.
func (a *App) joinMatcher(n identity.Needs, groups []string) {
	a.guardsMu.Lock()
	defer a.guardsMu.Unlock()
	a.matched = a.matched.Join(n)
	a.matchedGroups = append(a.matchedGroups, groups...)
}

// needs are what the headers show to upstreams.
func (s *headerSet) needs() (n identity.Needs) {
	for i, need := range []*identity.Need{&n.User, &n.Email, &n.Name, &n.Groups} {
		if s.names[i] != "" {
			*need = identity.Shown
		}
	}
	if s.assertion != "" {
		n = n.Join(identity.Needs{User: identity.Shown, Email: identity.Shown, Name: identity.Shown, Groups: identity.Shown})
	}
	if s.basic != "" {
		n.User = max(n.User, identity.Shown)
	}
	if len(s.claims) > 0 {
		n.Claims = identity.Shown
	}
	return n
}

// scopeNeeds are what scopes show to a client (OpenID Connect Core, section 5.4).
func scopeNeeds(scopes []string) (n identity.Needs) {
	for scope, needs := range map[string][]*identity.Need{"profile": {&n.User, &n.Name}, "email": {&n.Email}, "groups": {&n.Groups}} {
		if slices.Contains(scopes, scope) {
			for _, need := range needs {
				*need = identity.Shown
			}
		}
	}
	return n
}

// groupChecker is a provider module that knows how its groups are written.
type groupChecker interface {
	checkGroup(group string) error
}

// checkGroups refuses rules about groups that no provider they are about can have:
// one that keeps people out would keep out nobody.
func (a *App) checkGroups(p *policy.Policy) error {
	var mistakes []error
	check := func(verb string, rules []policy.Rule) {
		for _, r := range rules {
			for _, group := range r.Group {
				if err := a.checkGroup(r, group); err != nil {
					mistakes = append(mistakes, fmt.Errorf("%s %s: group %q can match nobody: %w", verb, r, group, err))
				}
			}
		}
	}
	check("allow", p.Allow)
	check("deny", p.Deny)
	return together(mistakes...)
}

func (a *App) checkGroup(r policy.Rule, group string) error {
	var why []error
	for _, name := range a.providerNames() {
		if len(r.Provider) > 0 && !slices.Contains(r.Provider, name) && !slices.Contains(r.Provider, policy.AnyProvider) {
			continue
		}
		checker := a.groupCheckers[name]
		if checker == nil {
			return nil
		}
		err := checker.checkGroup(group)
		if err == nil {
			return nil
		}
		why = append(why, err)
	}
	return errors.Join(why...)
}
