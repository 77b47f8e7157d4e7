package policy

import "github.com/gatehouse-auth/gatehouse/flows/identity"

// Needs are the claims by which the policy judges those who come from a provider.
func (p *Policy) Needs(provider string) identity.Needs {
	var needs identity.Needs
	if p == nil {
		return needs
	}
	for _, rules := range [][]Rule{p.Allow, p.Deny} {
		for i := range rules {
			needs = needs.Join(rules[i].needs(provider))
		}
	}
	return needs
}

// Groups are those that the policy's rules name.
func (p *Policy) Groups() []string {
	var named []string
	for _, rules := range [][]Rule{p.Allow, p.Deny} {
		for i := range rules {
			named = append(named, rules[i].Group...)
		}
	}
	return named
}

func (r *Rule) needs(provider string) (needs identity.Needs) {
	if len(r.Provider) > 0 && !r.ofProvider(provider) {
		return needs
	}
	if len(r.User) > 0 {
		needs.User = identity.Judged
	}
	if len(r.Email)+len(r.Domain) > 0 {
		needs.Email = identity.Judged
	}
	if len(r.Group) > 0 {
		needs.Groups = identity.Judged
	}
	if len(r.Claim) > 0 {
		needs.Claims = identity.Judged
	}
	if r.compiled != nil {
		needs = needs.Join(r.compiled.Looks().needs())
	}
	return needs
}
