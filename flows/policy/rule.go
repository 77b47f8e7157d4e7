package policy

import (
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// Rule is one line. Its conditions must all hold; within one condition the
// values are alternatives. A rule without a condition matches nobody, unless
// Anyone is set; AnyProvider alone is no condition.
type Rule struct {
	// User names, see identity.Claims.User. They are compared exactly, but
	// in a deny rule ASCII letters match in any case: a line that keeps
	// somebody out must not miss them for a capital letter. One that names an
	// address also keeps out who has it and is called PROVIDER:ID, since it is
	// not verified.
	User []string `json:"user,omitempty"`
	// Email holds addresses. Only verified ones match, in any ASCII case; in a deny
	// rule all do, in any spelling, and so does one that cannot be read.
	Email []string `json:"email,omitempty"`
	// Domain of an e-mail address, without sub-domains; otherwise as Email.
	Domain []string `json:"domain,omitempty"`
	// Group names, exactly. A user whose groups cannot be read is in none of them
	// for an allow rule, and in all of them for a deny rule.
	Group []string `json:"group,omitempty"`
	// Provider block names; "any" stands for each.
	Provider []string `json:"provider,omitempty"`
	// Anyone who could sign in.
	Anyone bool `json:"anyone,omitempty"`
}

// AnyProvider in Rule.Provider stands for each provider.
const AnyProvider = "any"

// effect is what a rule does to those whom it matches.
type effect bool

const (
	allowing effect = true
	denying  effect = false
)

func (r *Rule) matches(c *identity.Claims, e effect) bool {
	if !r.hasCondition() {
		return false
	}
	if len(r.Provider) > 0 && !r.ofProvider(c.Provider) {
		return false
	}
	if len(r.User) > 0 && !r.namesUser(c, e) {
		return false
	}
	if len(r.Group) > 0 && !r.namesGroup(c, e) {
		return false
	}
	if len(r.Email) > 0 && !r.namesEmail(c, e) {
		return false
	}
	return len(r.Domain) == 0 || r.namesDomain(c, e)
}

// hasCondition tells whether the rule says anything about who is meant.
func (r *Rule) hasCondition() bool {
	if r.Anyone || len(r.User) > 0 || len(r.Email) > 0 || len(r.Domain) > 0 || len(r.Group) > 0 {
		return true
	}
	return len(r.Provider) > 0 && !slices.Contains(r.Provider, AnyProvider)
}

func (r *Rule) ofProvider(name string) bool {
	for _, want := range r.Provider {
		if want == AnyProvider || want == name && name != "" {
			return true
		}
	}
	return false
}

func (r *Rule) namesUser(c *identity.Claims, e effect) bool {
	if c.User == "" {
		return false
	}
	for _, want := range r.User {
		if want == c.User || e == denying && c.MayBeUser(want) {
			return true
		}
	}
	return false
}

func (r *Rule) namesGroup(c *identity.Claims, e effect) bool {
	for _, want := range r.Group {
		if want != "" && (c.InGroup(want) || e == denying && c.MayBeInGroup(want)) {
			return true
		}
	}
	return false
}

func (r *Rule) namesEmail(c *identity.Claims, e effect) bool {
	if e == denying {
		return slices.ContainsFunc(r.Email, c.MayHaveEmail)
	}
	return slices.ContainsFunc(r.Email, c.HasEmail)
}

func (r *Rule) namesDomain(c *identity.Claims, e effect) bool {
	if e == denying {
		return slices.ContainsFunc(r.Domain, c.MayHaveDomain)
	}
	return slices.ContainsFunc(r.Domain, c.HasDomain)
}

// String is the rule as a Caddyfile line without its allow or deny.
func (r Rule) String() string {
	var words []string
	if r.Anyone {
		words = append(words, "anyone")
	}
	for _, c := range r.conditions() {
		for _, v := range c.values {
			words = append(words, c.name, v)
		}
	}
	return strings.Join(words, " ")
}

type condition struct {
	name   string
	values []string
}

func (r *Rule) conditions() []condition {
	return []condition{
		{"user", r.User},
		{"email", r.Email},
		{"domain", r.Domain},
		{"group", r.Group},
		{"provider", r.Provider},
	}
}
