package policy

import (
	"fmt"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// Decision is a verdict and the rule behind it.
type Decision struct {
	// Policy is the policy's name.
	Policy string
	// Allowed is what Allows answers.
	Allowed bool
	// Rule that decided; nil when none matched, which refuses.
	Rule *Rule
	// Index of the rule among the policy's Allow or Deny rules; -1 without a
	// rule.
	Index int
}

// Explain is Allows, and says which rule decided: the first deny rule that
// matches, else the first allow rule.
func (p *Policy) Explain(id *identity.Identity) Decision {
	if p == nil {
		return Decision{Index: -1}
	}
	d := Decision{Policy: p.Name, Index: -1}
	if id == nil {
		return d
	}
	if i := firstMatch(p.Deny, id, denying); i >= 0 {
		d.Rule, d.Index = &p.Deny[i], i
		return d
	}
	if i := firstMatch(p.Allow, id, allowing); i >= 0 {
		d.Allowed, d.Rule, d.Index = true, &p.Allow[i], i
	}
	return d
}

// String says it in a sentence for logs and for the operator. It holds nothing
// of the identity, only of the policy.
func (d Decision) String() string {
	name := ""
	if d.Policy != "" {
		name = fmt.Sprintf(" of policy %q", d.Policy)
	}
	switch {
	case d.Rule == nil:
		return "refused: no rule" + name + " matches"
	case d.Allowed:
		return fmt.Sprintf("allowed by rule%s: allow %s", name, d.Rule)
	default:
		return fmt.Sprintf("refused by rule%s: deny %s", name, d.Rule)
	}
}
