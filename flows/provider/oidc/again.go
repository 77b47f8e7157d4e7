package oidc

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// identifyAgain is identify at a recheck. A refresh may bring less than a sign-in
// does (OpenID Connect Core, section 12.2). What is not told again stays, but no rule
// relies on it: the groups that somebody is denied for must not be forgotten, and
// those that let somebody in may have been taken away.
func (p *Provider) identifyAgain(ctx context.Context, t *told, was identity.Claims) (identity.Claims, error) {
	now, err := p.read(ctx, t)
	if err != nil {
		return identity.Claims{}, err
	}
	if was.Email != "" || was.IsUnread(identity.ClaimEmail) {
		p.keepUntold(ctx, t, &now, was, identity.ClaimEmail, "email")
	}
	if len(was.Groups) > 0 || was.IsUnread(identity.ClaimGroups) {
		p.keepUntold(ctx, t, &now, was, identity.ClaimGroups, p.config.GroupsClaim)
	}
	p.keepKept(ctx, t, &now, was)
	if now.Email == "" && now.IsUnread(identity.ClaimEmail) && now.Unread[identity.ClaimEmail] != identity.CauseShape {
		now.Email, now.EmailVerified = was.Email, was.EmailVerified
		if p.isCalledByEmail() {
			now.User = was.User
		}
	}
	if p.config.DomainClaim != "" && (!t.signed || !t.idToken.has(p.config.DomainClaim)) {
		// What the account belongs to is not told again. Another address is new, and
		// nobody has vouched for its domain.
		now.DomainUnverified = was.DomainUnverified || !identity.EqualFoldASCII(now.Email, was.Email)
	}
	if now.Name == "" && !t.mentions("name") {
		now.Name = was.Name
	}
	if !p.isCalledByEmail() && t.untold(p.config.UserClaim) {
		now.User = was.User
	}
	if now.User == "" {
		now.User, err = p.user(&now, t)
	}
	return now, err
}

// keepUntold marks a claim that was told before, and is not now.
func (p *Provider) keepUntold(ctx context.Context, t *told, now *identity.Claims, was identity.Claims, claim, name string) {
	if now.IsUnread(claim) || !t.untold(name) {
		return
	}
	cause := identity.CauseUntold
	if former, ok := was.Unread[claim]; ok {
		cause = former
	}
	now.SetUnread(claim, cause)
	p.logUnread(ctx, now, name, cause, nil)
}

// untold reports whether a claim is said nowhere, not even that there is none.
func (t *told) untold(name string) bool {
	raw, cause := t.find(name)
	return raw == nil && (cause == "" || cause == t.lost) && !t.mentions(name)
}
