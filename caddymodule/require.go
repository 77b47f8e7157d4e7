package caddymodule

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/stepup"
)

// Require is what a guard requires beyond a sign-in.
type Require struct {
	// Classes of authentication (the claim acr), of which one must hold. Default: any.
	ACR []string `json:"acr,omitempty"`
	// How long ago the person may have authenticated; at least `1m`. With acr, how long
	// ago at one of its levels. Default: any time.
	MaxAge caddy.Duration `json:"max_age,omitempty"`
	// Scopes that an access token must have, all of them. A person who signed in at the
	// site itself needs none. Default: none.
	Scopes []string `json:"scopes,omitempty"`
}

// requireWords are what require takes.
var requireWords = []string{"acr", "max_age", "scope"}

// parseRequire parses:
//
//	require acr <value…>
//	require max_age <duration>
//	require scope <scope…>
func (g *Guard) parseRequire(h httpcaddyfile.Helper) error {
	if !h.NextArg() {
		return h.Errf("require needs one of: %s", strings.Join(requireWords, ", "))
	}
	if g.Require == nil {
		g.Require = new(Require)
	}
	q, word := g.Require, h.Val()
	given := map[string]bool{"acr": len(q.ACR) > 0, "max_age": q.MaxAge != 0, "scope": len(q.Scopes) > 0}
	if given[word] {
		return h.Errf("require %s is given twice", word)
	}
	var err error
	switch word {
	case "acr":
		err = someWords(h.Dispenser, &q.ACR)
	case "max_age":
		q.MaxAge, err = durationArg(h.Dispenser)
	case "scope":
		err = someWords(h.Dispenser, &q.Scopes)
	default:
		return h.Errf("require %q is not known%s", word, didYouMean(word, requireWords))
	}
	if err != nil {
		return err
	}
	if err := q.requirement().Validate(); err != nil {
		return h.Errf("require: %v", err)
	}
	return nil
}

func (q *Require) requirement() *stepup.Requirement {
	return &stepup.Requirement{ACR: q.ACR, MaxAge: time.Duration(q.MaxAge), Scope: q.Scopes}
}

// provisionRequire checks what the guard demands.
func (g *Guard) provisionRequire() error {
	if g.Require == nil {
		return nil
	}
	if len(g.Require.ACR)+len(g.Require.Scopes) == 0 && g.Require.MaxAge == 0 {
		return fmt.Errorf("require is empty; give one of: %s", strings.Join(requireWords, ", "))
	}
	q := g.Require.requirement()
	if err := q.Validate(); err != nil {
		return fmt.Errorf("require: %w", err)
	}
	onlyPasswords := !slices.ContainsFunc(g.app.providers, func(p provider.Provider) bool {
		_, redirects := p.(provider.Redirect)
		return redirects
	})
	if len(q.ACR) > 0 && onlyPasswords {
		return errors.New("require acr lets nobody in: provider local reports no acr; write require max_age, or add a provider that reports acr")
	}
	g.rules.Require = q
	return nil
}

// requiredACRs are the classes that guards demand.
func (a *App) requiredACRs() []string {
	var all []string
	for _, g := range a.guards {
		if g.rules.Require != nil {
			all = append(all, g.rules.Require.ACR...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
