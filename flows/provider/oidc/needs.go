package oidc

import (
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// When userinfo is asked.
const (
	// UserInfoAuto asks when the ID token lacks what is needed.
	UserInfoAuto = "auto"
	// UserInfoAlways asks at each sign-in and recheck.
	UserInfoAlways = "always"
	// UserInfoNever never asks: what the ID token lacks, nobody has.
	UserInfoNever = "never"
)

// UserInfoModes are the ways to ask userinfo.
var UserInfoModes = []string{UserInfoAuto, UserInfoAlways, UserInfoNever}

// SetNeeds says which claims the configuration looks at. It must be called before
// the provider is first used.
func (p *Provider) SetNeeds(n identity.Needs) { p.needs = n }

// needsUserInfo reports whether the ID token alone does not do. What a rule is about
// is always asked for; what is only shown, where the provider can be expected to
// have it.
func (p *Provider) needsUserInfo(m *metadata, t *told) bool {
	switch {
	case p.config.UserInfo == UserInfoNever:
		return false
	case p.config.UserInfo == UserInfoAlways, !t.signed:
		return true
	}
	return p.lacksJudged(t) ||
		p.asksFor("email") && t.lacks("email") ||
		p.needs.Name > identity.NotNeeded && p.asksFor("profile") && t.lacks("name") ||
		p.needs.Groups > identity.NotNeeded && p.mayHaveGroups(m) && t.lacks(p.config.GroupsClaim) ||
		p.lacksKept(t)
}

// lacksJudged reports whether the ID token lacks what nobody can be let in without:
// what a rule is about, and the name.
func (p *Provider) lacksJudged(t *told) bool {
	email := p.needs.Email >= identity.Perhaps || p.isCalledByEmail() && p.asksFor("email")
	return email && t.lacks("email") ||
		!p.isCalledByEmail() && t.lacks(p.config.UserClaim) ||
		p.needs.Groups >= identity.Perhaps && t.lacks(p.config.GroupsClaim) ||
		p.needs.Claims >= identity.Perhaps && p.lacksKept(t)
}

// scopes are what is asked for: the configured ones, and that for groups where it is
// offered and needed.
func (p *Provider) scopes(m *metadata) []string {
	if scope := p.config.GroupsScope; scope != "" && p.asksForGroups() && (p.config.Plain || slices.Contains(m.Scopes, scope)) {
		return joinScopes(p.config.Scopes, []string{scope})
	}
	return p.config.Scopes
}

// asksForGroups reports whether groups are worth a scope, which people have to grant. At
// a provider that tells them at another address they cost a request as well, and what a
// header shows is not worth that.
func (p *Provider) asksForGroups() bool {
	return p.needs.Groups >= identity.Perhaps || p.needs.Groups > identity.NotNeeded && !p.config.Plain
}

// mayHaveGroups reports whether the provider is expected to have groups: it was told
// their claim, is asked for them, or advertises them.
func (p *Provider) mayHaveGroups(m *metadata) bool {
	first, _, _ := strings.Cut(p.config.GroupsClaim, ".")
	return p.config.GroupsClaim != defaultGroupsClaim || p.asksFor("groups") || p.config.GroupsScope != "" ||
		slices.Contains(m.Claims, p.config.GroupsClaim) || slices.Contains(m.Claims, first)
}
