package policy

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// namesClient compares the client. One that is not known is any to a deny rule.
func (r *Rule) namesClient(id *identity.Identity, e effect) bool {
	if id.ClientID == "" {
		return e == denying
	}
	return slices.Contains(r.Client, id.ClientID)
}

// claim is a condition about one claim.
type claim struct {
	name   string
	values []string
}

// listClaims makes the list of the claims, which takes less time to go through than
// the map.
func (r *Rule) listClaims() {
	r.claims = nil
	for _, name := range slices.Sorted(maps.Keys(r.Claim)) {
		r.claims = append(r.claims, claim{name, r.Claim[name]})
	}
}

func (r *Rule) namesClaims(c *identity.Claims, e effect) bool {
	if r.claims != nil {
		for i := range r.claims {
			if !namesClaim(c, r.claims[i].name, r.claims[i].values, e) {
				return false
			}
		}
		return true
	}
	for name, values := range r.Claim {
		if !namesClaim(c, name, values, e) {
			return false
		}
	}
	return true
}

func namesClaim(c *identity.Claims, name string, values []string, e effect) bool {
	for _, want := range values {
		if c.HasClaim(name, want) || e == denying && c.MayHaveClaim(name, want) {
			return true
		}
	}
	return false
}

// String is the rule as a Caddyfile line without its allow or deny.
func (r Rule) String() string {
	var words []string
	if r.Anyone {
		words = append(words, "anyone")
	}
	for _, c := range r.conditions() {
		words = append(words, c.words()...)
	}
	return strings.Join(words, " ")
}

type condition struct {
	name   string // "claim" has the claim's name beside
	claim  string
	values []string
}

func (c condition) words() []string {
	if len(c.values) == 0 {
		return nil
	}
	words := []string{c.name}
	if c.claim != "" {
		words = append(words, word(c.claim))
	}
	for _, v := range c.values {
		if c.name == "expression" {
			words = append(words, "`"+v+"`")
			continue
		}
		words = append(words, word(v))
	}
	return words
}

// word is a value as it is written in a Caddyfile.
func word(s string) string {
	if strings.ContainsAny(s, " \t\n\"`{}") || s == "" || isConditionWord(s) {
		return strconv.Quote(s)
	}
	return s
}

func isConditionWord(s string) bool {
	return slices.Contains([]string{"user", "email", "domain", "group", "claim", "provider", "client", "expression", "anyone"}, s)
}

func (r *Rule) conditions() []condition {
	all := []condition{
		{name: "user", values: r.User},
		{name: "email", values: r.Email},
		{name: "domain", values: r.Domain},
		{name: "group", values: r.Group},
	}
	for _, name := range slices.Sorted(maps.Keys(r.Claim)) {
		all = append(all, condition{name: "claim", claim: name, values: r.Claim[name]})
	}
	all = append(all, condition{name: "client", values: r.Client}, condition{name: "provider", values: r.Provider})
	if r.Expression != "" {
		all = append(all, condition{name: "expression", values: []string{r.Expression}})
	}
	return all
}
