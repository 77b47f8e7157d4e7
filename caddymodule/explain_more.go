package caddymodule

import (
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// require adds what a guard requires beyond a sign-in.
func (p *ExplainedPerson) require(where string, g *Guard, c *identity.Claims) {
	q := g.rules.Require
	if q == nil {
		return
	}
	p.Requirements = append(p.Requirements, ExplainedRequirement{Where: where, Require: q.String(), Missing: q.Missing(c, time.Now()), Scopes: q.Scope})
}

// explainTokens adds whose own tokens a guard takes, and what a token of the person's
// provider lacks.
func (a *App) explainTokens(p *ExplainedPerson, where string, g *Guard) {
	for _, name := range g.AcceptTokens {
		p.Tokens = append(p.Tokens, ExplainedTokens{Where: where, Provider: name, Audience: a.audienceOf(name)})
	}
	if len(g.AcceptTokens) > 0 && !slices.Contains(g.AcceptTokens, p.Provider) {
		missing := "the guard's accept_tokens does not name it"
		if a.audienceOf(p.Provider) == nil {
			missing = "its block has no accept_tokens, and the guard's does not name it"
		}
		p.Tokens = append(p.Tokens, ExplainedTokens{Where: where, Provider: p.Provider, Missing: missing})
	}
}

// audienceOf is for whom a provider's own tokens must be, or nil if they are not taken.
func (a *App) audienceOf(name string) []string {
	if p, ok := a.acceptors()[name]; ok {
		return p.TokenAudience()
	}
	return nil
}

// tokensHint tells who asks for the user of a token why nothing is known.
func tokensHint(guards []*Guard) string {
	var names []string
	for _, g := range guards {
		names = append(names, g.AcceptTokens...)
	}
	slices.Sort(names)
	if names = slices.Compact(names); len(names) == 0 {
		return ""
	}
	return "; what a token of " + strings.Join(names, " or ") + " says is known while it is used, and the log says by which rule it was refused"
}
