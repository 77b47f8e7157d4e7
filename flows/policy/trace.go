package policy

import (
	"fmt"
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// Step is how one rule was judged for somebody. It holds what they are called and
// what is known of them, and is for the operator alone.
type Step struct {
	// Rule is the rule as a Caddyfile line.
	Rule    string `json:"rule"`
	Matches bool   `json:"matches"`
	// Unmet is the first condition that does not hold, and Saw what there is in its
	// place; both are "" for a rule that matches.
	Unmet string `json:"unmet,omitempty"`
	Saw   string `json:"saw,omitempty"`
}

// Trace judges each rule, the denying ones first. What it says agrees with
// [Policy.Explain].
func (p *Policy) Trace(id *identity.Identity) []Step {
	var steps []Step
	for i := range p.Deny {
		steps = append(steps, p.Deny[i].trace("deny", id, denying))
	}
	for i := range p.Allow {
		steps = append(steps, p.Allow[i].trace("allow", id, allowing))
	}
	return steps
}

func (r *Rule) trace(verb string, id *identity.Identity, e effect) Step {
	step := Step{Rule: verb + " " + r.String(), Matches: r.matches(id, e)}
	if step.Matches {
		return step
	}
	for _, c := range r.conditions() {
		if len(c.values) > 0 && !r.meets(c, id, e) {
			step.Unmet, step.Saw = strings.TrimSpace(c.name+" "+c.claim), saw(c, r, id)
			break
		}
	}
	return step
}

// meets reports whether one condition of the rule holds.
func (r *Rule) meets(c condition, id *identity.Identity, e effect) bool {
	switch c.name {
	case "user":
		return r.namesUser(&id.Claims, e)
	case "email":
		return r.namesEmail(&id.Claims, e)
	case "domain":
		return r.namesDomain(&id.Claims, e)
	case "group":
		return r.namesGroup(&id.Claims, e)
	case "claim":
		return namesClaim(&id.Claims, c.claim, c.values, e)
	case "client":
		return r.namesClient(id, e)
	case "expression":
		return r.holds(id, e)
	default:
		return r.ofProvider(id.Provider)
	}
}

// saw is what there is in place of what a condition wants.
func saw(c condition, r *Rule, id *identity.Identity) string {
	switch c.name {
	case "user":
		return fmt.Sprintf("%q", id.User)
	case "email", "domain":
		return sawAddress(&id.Claims)
	case "group":
		if cause, unread := id.Unread[identity.ClaimGroups]; unread {
			return "cannot be read: " + string(cause)
		}
		return list(id.Groups)
	case "claim":
		return sawClaim(&id.Claims, c.claim)
	case "client":
		return fmt.Sprintf("%q", id.ClientID)
	case "expression":
		return sawExpression(r, id)
	default:
		return fmt.Sprintf("%q", id.Provider)
	}
}

func sawAddress(c *identity.Claims) string {
	cause, unread := c.Unread[identity.ClaimEmail]
	switch {
	case unread:
		return "cannot be read: " + string(cause)
	case c.Email == "":
		return "none"
	case !c.EmailVerified:
		return fmt.Sprintf("%q, which the provider does not call verified", c.Email)
	}
	return fmt.Sprintf("%q", c.Email)
}

func sawClaim(c *identity.Claims, name string) string {
	if cause, unread := c.Unread[identity.KeptClaim(name)]; unread {
		return "cannot be read: " + string(cause)
	}
	values, known := c.ClaimValues(name)
	if !known {
		return "cannot be compared: it is neither a text, a number or true or false, nor a list of these"
	}
	return list(values)
}

func sawExpression(r *Rule, id *identity.Identity) string {
	if r.judge(id) != identity.Failed {
		return "false"
	}
	if r.compiled == nil || r.compiled.Looks().meetsUnread(&id.Claims) {
		return "fails: something that it looks at cannot be read"
	}
	_, err := r.compiled.Judge(&id.Claims)
	return fmt.Sprintf("fails: %v", err)
}

func list(values []string) string {
	if len(values) == 0 {
		return "none"
	}
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = fmt.Sprintf("%q", v)
	}
	return strings.Join(quoted, ", ")
}
