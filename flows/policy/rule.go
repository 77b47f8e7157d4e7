package policy

import (
	"slices"

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
	// Claim maps further claims of the provider to the values that match, exactly. A
	// list matches by each of its elements; a number is written without an exponent.
	// A claim that is not known, or is no text, number or truth value nor a list of
	// these, matches no allow rule and each deny rule.
	Claim map[string][]string `json:"claim,omitempty"`
	// Provider block names; "any" stands for each.
	Provider []string `json:"provider,omitempty"`
	// Client ids that the session or access token was issued to. A guarded site's own
	// session has the site's host name.
	Client []string `json:"client,omitempty"`
	// Expression of the Common Expression Language about user, provider, groups and
	// claims. An allow rule whose expression fails does not match, and a deny rule
	// does.
	Expression string `json:"expression,omitempty"`
	// Anyone who could sign in.
	Anyone bool `json:"anyone,omitempty"`

	compiled Expression // of Expression; nil fails
	claims   []claim    // of Claim, sorted by name; nil: it has to be asked itself
}

// AnyProvider in Rule.Provider stands for each provider.
const AnyProvider = "any"

// effect is what a rule does to those whom it matches.
type effect bool

const (
	allowing effect = true
	denying  effect = false
)

func (r *Rule) matches(id *identity.Identity, e effect) bool {
	if !r.hasCondition() {
		return false
	}
	c := &id.Claims
	return (len(r.Provider) == 0 || r.ofProvider(c.Provider)) &&
		(len(r.User) == 0 || r.namesUser(c, e)) &&
		(len(r.Group) == 0 || r.namesGroup(c, e)) &&
		(len(r.Email) == 0 || r.namesEmail(c, e)) &&
		(len(r.Domain) == 0 || r.namesDomain(c, e)) &&
		(len(r.Client) == 0 || r.namesClient(id, e)) &&
		(len(r.Claim) == 0 || r.namesClaims(c, e)) &&
		(r.Expression == "" || r.holds(id, e))
}

// hasCondition reports whether the rule says anything about who is meant.
func (r *Rule) hasCondition() bool {
	if r.Anyone || len(r.User) > 0 || len(r.Email) > 0 || len(r.Domain) > 0 || len(r.Group) > 0 ||
		len(r.Client) > 0 || len(r.Claim) > 0 || r.Expression != "" {
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
