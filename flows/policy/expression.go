package policy

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// Expression is a compiled expression of the Common Expression Language.
type Expression interface {
	// Judge evaluates it. The error says what could not be evaluated, without values.
	Judge(c *identity.Claims) (bool, error)
	// Looks are the claims that it looks at.
	Looks() Looks
}

// Looks are the claims that an expression looks at.
type Looks struct {
	User, Groups bool
	// Claims are the further claims that it names; AllClaims says that it may look at
	// any, since it names them in no way that can be told beforehand.
	Claims    []string
	AllClaims bool
}

func (l Looks) needs() (n identity.Needs) {
	if l.User {
		n.User = identity.Judged
	}
	if l.Groups {
		n.Groups = identity.Judged
	}
	if len(l.Claims) > 0 || l.AllClaims {
		n.Claims = identity.Judged
	}
	return n
}

// meetsUnread reports whether something that it looks at is not known.
func (l Looks) meetsUnread(c *identity.Claims) bool {
	if l.Groups && c.GroupsLeft > 0 {
		return true // any group may be among those that were left out
	}
	if len(c.Unread) == 0 {
		return false
	}
	if l.Groups && c.IsUnread(identity.ClaimGroups) || l.User && c.IsCalledByID() && c.IsUnread(identity.ClaimEmail) {
		return true
	}
	for _, name := range l.Claims {
		if c.IsUnread(identity.KeptClaim(name)) {
			return true
		}
	}
	return l.AllClaims && c.HasUnreadClaim()
}

// Compile compiles the expressions of the rules, and sorts their claims. It must be called before the policy
// is used: an expression that was not compiled fails.
func (p *Policy) Compile(compile func(source string) (Expression, error)) error {
	var errs []error
	for _, rules := range [][]Rule{p.Deny, p.Allow} {
		for i := range rules {
			r := &rules[i]
			r.listClaims()
			if r.Expression == "" {
				continue
			}
			var err error
			if r.compiled, err = compile(r.Expression); err != nil {
				errs = append(errs, fmt.Errorf("expression %w", err))
			}
		}
	}
	return errors.Join(errs...)
}

// holds reports whether the rule's expression matches for its effect.
func (r *Rule) holds(id *identity.Identity, e effect) bool {
	switch r.judge(id) {
	case identity.Holds:
		return true
	case identity.HoldsNot:
		return false
	default:
		return e == denying
	}
}

// judge evaluates the expression once per identity.
func (r *Rule) judge(id *identity.Identity) identity.Judgement {
	if known := id.Judgements.Of(r.Expression); known != identity.NotJudged {
		return known
	}
	judgement := identity.Failed
	if r.compiled != nil && !r.compiled.Looks().meetsUnread(&id.Claims) {
		holds, err := r.compiled.Judge(&id.Claims)
		switch {
		case err != nil:
		case holds:
			judgement = identity.Holds
		default:
			judgement = identity.HoldsNot
		}
	}
	id.Judgements.Keep(r.Expression, judgement)
	return judgement
}

// ClaimNames are the further claims that a rule names, also in its expression, once
// that is compiled.
func (r *Rule) ClaimNames() []string {
	names := slices.Sorted(maps.Keys(r.Claim))
	if r.compiled != nil {
		names = append(names, r.compiled.Looks().Claims...)
	}
	return names
}
