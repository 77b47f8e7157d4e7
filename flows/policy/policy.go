package policy

import (
	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// Policy is a list of rules. The rules are alternatives, deny wins, and what no
// rule matches is refused. The zero Policy refuses everybody. A policy must not
// be changed while it is in use.
type Policy struct {
	Name  string `json:"-"`
	Allow []Rule `json:"allow,omitempty"`
	Deny  []Rule `json:"deny,omitempty"`
}

// Decider decides whether an identity may enter.
type Decider interface {
	Allows(id *identity.Identity) bool
}

// Allows reports whether an identity may enter. It does not allocate, but for the
// first evaluation of an expression for an identity.
func (p *Policy) Allows(id *identity.Identity) bool {
	if p == nil || id == nil {
		return false
	}
	return firstMatch(p.Deny, id, denying) < 0 && firstMatch(p.Allow, id, allowing) >= 0
}

// firstMatch is the index of the first rule that matches, or -1.
func firstMatch(rules []Rule, id *identity.Identity, e effect) int {
	for i := range rules {
		if rules[i].matches(id, e) {
			return i
		}
	}
	return -1
}

var _ Decider = (*Policy)(nil)
