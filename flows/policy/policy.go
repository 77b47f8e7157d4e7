// Package policy decides who may enter.
package policy

import (
	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// Policy is a list of rules. The rules are alternatives, deny wins, and what no
// rule matches is refused. The zero Policy refuses everybody.
type Policy struct {
	Name  string `json:"-"`
	Allow []Rule `json:"allow,omitempty"`
	Deny  []Rule `json:"deny,omitempty"`
}

// Rule is one line. Its conditions must all hold; within one condition the
// values are alternatives. A rule without a condition matches nobody, unless
// Anyone is set.
type Rule struct {
	// User names, see identity.Claims.User.
	User []string `json:"user,omitempty"`
	// Email holds addresses; only verified ones match, in any case.
	Email []string `json:"email,omitempty"`
	// Domain of a verified e-mail address, in any case, without sub-domains.
	Domain []string `json:"domain,omitempty"`
	// Group names, exactly.
	Group []string `json:"group,omitempty"`
	// Provider block names; "any" stands for each.
	Provider []string `json:"provider,omitempty"`
	// Anyone who could sign in.
	Anyone bool `json:"anyone,omitempty"`
}

// AnyProvider in Rule.Provider stands for each provider.
const AnyProvider = "any"

// Decider decides whether an identity may enter.
type Decider interface {
	Allows(id *identity.Identity) bool
}
