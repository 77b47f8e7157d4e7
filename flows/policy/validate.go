package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// Validate reports everything that would make the policy mean something else
// than it seems to: unknown providers, rules that can never match, rules
// without a condition, and, where there are several providers, a group, e-mail
// or domain that does not say whose it is. Providers are the names of all
// provider blocks.
func (p *Policy) Validate(providers []string) error {
	var errs []error
	if len(p.Allow) == 0 && len(p.Deny) > 0 {
		errs = append(errs, errors.New("deny alone refuses everybody: add an allow line, such as allow anyone"))
	}
	for i := range p.Deny {
		errs = append(errs, p.Deny[i].validate("deny", providers)...)
	}
	for i := range p.Allow {
		errs = append(errs, p.Allow[i].validate("allow", providers)...)
	}
	err := errors.Join(errs...)
	if err != nil && p.Name != "" {
		return fmt.Errorf("policy %s: %w", p.Name, err)
	}
	return err
}

func (r *Rule) validate(verb string, providers []string) (errs []error) {
	fail := func(format string, args ...any) {
		line := strings.TrimSpace(verb + " " + r.String())
		errs = append(errs, fmt.Errorf("%s: %w", line, fmt.Errorf(format, args...)))
	}
	for _, c := range r.conditions() {
		if c.values != nil && len(c.values) == 0 {
			fail("%s needs a value", c.name)
		}
		for _, v := range c.values {
			if c.name == "expression" {
				continue // which may have several lines
			}
			if v == "" || strings.ContainsFunc(v, unicode.IsControl) {
				fail("%s %q can match nobody", c.name, v)
			}
		}
	}
	for _, v := range r.Group {
		if v != "" && !identity.IsGroup(v) {
			fail("group %.40q can match nobody: a group has at most %d bytes, no control characters and no space at either end", v, identity.MaxGroup)
		}
	}
	for _, v := range r.Email {
		switch {
		case !identity.IsAddress(v):
			fail("%q is not an e-mail address", v)
		case strings.Contains(v, "*"):
			fail("%q is no pattern; for everybody of a domain write domain NAME", v)
		}
	}
	for _, v := range r.Domain {
		if !identity.IsDomain(v) {
			fail("%q is not a domain; write it as in example.com, without @ or *, and an internationalised one in its xn-- form", v)
		}
	}
	for name := range r.Claim {
		if name == "" {
			fail("claim needs a name and values")
		}
	}
	for _, v := range r.Provider {
		if v != AnyProvider && !slices.Contains(providers, v) {
			fail("there is no provider %q%s", v, didYouMean(v, providers))
		}
	}
	if !r.hasCondition() {
		fail("the line does not say who is meant; for everybody who can sign in write %s anyone", verb)
	}
	if what := r.foreign(); what != "" && len(r.Provider) == 0 && len(providers) > 1 {
		fail("with several providers %s rule must say whose: add provider NAME (%s) or provider any",
			what, strings.Join(providers, ", "))
	}
	return errs
}

// foreign names the first condition whose values providers hand out, each in a
// name space of its own: a group "staff" that somebody made at another
// provider is not ours.
func (r *Rule) foreign() string {
	switch {
	case len(r.Group) > 0:
		return "a group"
	case len(r.Email) > 0:
		return "an e-mail"
	case len(r.Domain) > 0:
		return "a domain"
	case len(r.Claim) > 0:
		return "a claim"
	case r.Expression != "":
		return "an expression"
	}
	return ""
}
