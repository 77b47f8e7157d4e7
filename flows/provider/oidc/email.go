package oidc

import (
	"context"
	"log/slog"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// trustsEmail reports whether an address counts as verified though the provider does
// not say that it is.
func (p *Provider) trustsEmail(email string) bool {
	_, domain, _ := strings.Cut(email, "@")
	return identity.IsAddress(email) && slices.ContainsFunc(p.config.TrustEmail, func(trusted string) bool {
		return identity.EqualFoldASCII(trusted, domain)
	})
}

// logUnverified says why a rule that allows by an address does not match somebody who
// has it.
func (p *Provider) logUnverified(ctx context.Context, t *told, c *identity.Claims) {
	if c.Email == "" || c.EmailVerified || p.needs.Email != identity.Judged {
		return
	}
	source := t.emailSource()
	cure := "have the person verify the address at the provider"
	if !source.has("email_verified") {
		cure = "if nobody but you can set addresses there, write trust_email and their domain in the provider's block; else have the provider send email_verified"
	}
	p.config.Logger.WarnContext(ctx, "the address of a user is not verified by the provider, so no allow rule counts it",
		slog.String("provider", p.config.Name), slog.String("subject", c.ID), slog.Bool("said", source.has("email_verified")), slog.String("cure", cure))
}

// isOfAnotherDomain reports whether an address is of a domain that the account does
// not belong to. Who has left a domain, or never was there, may have an account with an
// address of it.
func (p *Provider) isOfAnotherDomain(t *told, email string) bool {
	if p.config.DomainClaim == "" || email == "" || !t.signed {
		return false
	}
	_, domain, _ := strings.Cut(email, "@")
	if !t.idToken.has(p.config.DomainClaim) {
		return !slices.ContainsFunc(p.config.DomainsWithout, func(d string) bool { return identity.EqualFoldASCII(d, domain) })
	}
	return p.config.HostedDomain == "" && !identity.EqualFoldASCII(textOf(t.idToken[p.config.DomainClaim]), domain)
}
