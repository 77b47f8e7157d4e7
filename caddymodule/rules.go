package caddymodule

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/policy"
	"github.com/gatehouse-auth/gatehouse/flows/policy/expression"
)

// newExpressions makes the compiler of the rules' expressions. One that fails for
// somebody is logged, without what it looked at.
func (a *App) newExpressions() error {
	compiler, err := expression.New(func(source string, c *identity.Claims, err error) {
		a.logger.Warn("a rule's expression cannot be evaluated for a user: an allow line with it does not match, and a deny line does",
			slog.String("expression", source), slog.String("provider", c.Provider), slog.String("user", c.User), slog.Any("error", err))
	})
	a.expressions = compiler
	return err
}

// prepare makes rules ready for use: they compile, and can match somebody.
func (a *App) prepare(p *policy.Policy) error {
	err := together(p.Compile(a.expressions.Compile), a.checkGroups(p), a.checkClaims(p))
	if err != nil && p.Name != "" {
		return fmt.Errorf("policy %s: %w", p.Name, err)
	}
	return err
}

// preparePolicies prepares the named policies.
func (a *App) preparePolicies() error {
	var mistakes []error
	for _, name := range slices.Sorted(maps.Keys(a.Policies)) {
		a.Policies[name].Name = name
		if err := a.prepare(a.Policies[name]); err != nil {
			mistakes = append(mistakes, err)
		}
	}
	return together(mistakes...)
}

// claimKeeper is a provider module that knows which further claims it keeps.
type claimKeeper interface {
	keptClaims() []string
}

// checkClaims refuses rules about claims that no provider they are about keeps: one
// that keeps people out would keep out nobody.
func (a *App) checkClaims(p *policy.Policy) error {
	var mistakes []error
	for verb, rules := range map[string][]policy.Rule{"allow": p.Allow, "deny": p.Deny} {
		for i := range rules {
			for _, claim := range rules[i].ClaimNames() {
				if err := a.checkClaim(rules[i], claim); err != nil {
					mistakes = append(mistakes, fmt.Errorf("%s %s: %w", verb, rules[i], err))
				}
			}
		}
	}
	return errors.Join(mistakes...)
}

// checkHeaderClaims refuses headers of claims that no provider keeps.
func (a *App) checkHeaderClaims(s *headerSet) error {
	for _, c := range s.claims {
		if err := a.checkClaim(policy.Rule{}, c.claim); err != nil {
			return fmt.Errorf("headers: claim %s %s: %w", c.claim, c.key, err)
		}
	}
	return nil
}

func (a *App) checkClaim(r policy.Rule, claim string) error {
	var without string
	for _, name := range a.providerNames() {
		if len(r.Provider) > 0 && !slices.Contains(r.Provider, name) && !slices.Contains(r.Provider, policy.AnyProvider) {
			continue
		}
		keeper, ok := a.claimKeepers[name]
		if !ok || slices.Contains(keeper.keptClaims(), claim) {
			return nil
		}
		without = name
	}
	if without == "" {
		return nil
	}
	return fmt.Errorf("provider %s keeps no claim %s; write in its block: claims %s", without, claim, claim)
}
