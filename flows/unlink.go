package flows

import (
	"context"
	"errors"
	"log/slog"
	"slices"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/page"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/vault"
	"github.com/gatehouse-auth/gatehouse/flows/web"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// Unlink takes an identity from a subject, never the last one (tokenstore.ErrConflict).
// Its token is removed and revoked at the provider, and the sessions that came from it
// end. tokenstore.ErrNotFound if the subject has none such, and nothing of one is left:
// an unlink that failed half-way is finished by another.
func (g *Gateway) Unlink(ctx context.Context, subject string, id tokenstore.Identity) error {
	ctx, cancel := web.Detached(ctx)
	defer cancel()
	linked, err := g.Store.Identities(ctx, subject)
	if err != nil {
		return err
	}
	switch {
	case !hasIdentity(linked, id):
		return g.finishUnlink(ctx, subject)
	case len(linked) == 1:
		return tokenstore.ErrConflict
	}
	// The token first: it must not be used once the person thinks that it has gone.
	if err := g.forgetAccount(ctx, subject, id.Issuer); err != nil {
		return err
	}
	if err := g.Store.Unlink(ctx, subject, id); err != nil {
		return err
	}
	g.Logger.InfoContext(ctx, "identity unlinked", "issuer", id.Issuer, "subject", subject)
	g.Events(ctx, "identity_unlinked", slog.String("provider", g.providerNamed(id.Issuer)), slog.String("subject", subject))
	// Who signed in by it at that moment may have brought a token.
	if err := g.finishUnlink(ctx, subject); !errors.Is(err, tokenstore.ErrNotFound) {
		return err
	}
	return nil
}

// forgetAccount removes the token of a subject's account, and what was allowed with it:
// that is not for the next one. What was forbidden stays forbidden, whatever a policy
// says when an account is linked again.
func (g *Gateway) forgetAccount(ctx context.Context, subject, issuer string) error {
	if g.Vault != nil {
		if _, err := g.RemoveProviderTokens(ctx, g.Vault, vault.Query{Subject: subject, Provider: issuer}); err != nil {
			return err
		}
	}
	return g.Store.DeleteDelegations(ctx, subject, issuer)
}

// finishUnlink removes what is left of accounts that are linked to a subject no more, and
// ends the sessions that came from them. tokenstore.ErrNotFound if nothing was left.
func (g *Gateway) finishUnlink(ctx context.Context, subject string) error {
	linked, err := g.Store.Identities(ctx, subject)
	if err != nil {
		return err
	}
	gone, err := g.leftOf(ctx, subject, linked)
	if err != nil {
		return err
	}
	for issuer := range gone {
		if err := g.forgetAccount(ctx, subject, issuer); err != nil {
			return err
		}
	}
	ended, err := g.signouts.EndOf(ctx, subject, func(_ tokenstore.Session, claims identity.Claims) bool {
		return !hasIdentity(linked, tokenstore.Identity{Issuer: claims.Issuer, Subject: claims.ID})
	})
	if err == nil && ended == 0 && len(gone) == 0 {
		return tokenstore.ErrNotFound
	}
	return err
}

// leftOf are the issuers of which a subject has a token or has allowed something, and no
// account.
func (g *Gateway) leftOf(ctx context.Context, subject string, linked []tokenstore.Identity) (map[string]bool, error) {
	gone := make(map[string]bool)
	note := func(issuer string) {
		if !slices.ContainsFunc(linked, func(id tokenstore.Identity) bool { return id.Issuer == issuer }) {
			gone[issuer] = true
		}
	}
	said, err := g.Store.Delegations(ctx, subject)
	if err != nil {
		return nil, err
	}
	for _, row := range said {
		if row.ForbiddenAt.IsZero() {
			note(row.Provider)
		}
	}
	if g.Vault == nil {
		return gone, nil
	}
	tokens, err := g.Vault.List(ctx, vault.Query{Subject: subject, Limit: tokenstore.MaxPage})
	if err != nil {
		return nil, err
	}
	for _, t := range tokens.Tokens {
		note(t.Provider)
	}
	return gone, nil
}

func hasIdentity(list []tokenstore.Identity, id tokenstore.Identity) bool {
	return slices.Contains(list, id)
}

// providerNamed is the name of the provider of an issuer, or the issuer of one that is
// not configured any more.
func (g *Gateway) providerNamed(issuer string) string {
	for _, p := range g.Providers {
		if p.Issuer() == issuer {
			return p.Name()
		}
	}
	return issuer
}

// identityID names an identity in a form, without saying whose it is.
func (g *Gateway) identityID(subject string, id tokenstore.Identity) string {
	return encode(g.Keyring.MAC("identity in a form", []byte(subject), []byte(id.Issuer), []byte(id.Subject))[:18])
}

// homeIdentities are what the person can sign in by, and what could be added.
func (g *Gateway) homeIdentities(at web.Issuer, who *identity.Identity, linked []tokenstore.Identity, p *page.Home) {
	known := make(map[string]bool)
	for _, id := range linked {
		known[id.Issuer] = true
		current := id == tokenstore.Identity{Issuer: who.Issuer, Subject: who.ID}
		p.Identities = append(p.Identities, page.Identity{
			ID: g.identityID(who.Subject, id), Provider: g.answers.ProviderTitle(g.providerNamed(id.Issuer)),
			Current: current, Removable: !current && len(linked) > 1,
		})
	}
	for _, further := range g.Providers {
		if _, ok := further.(provider.Redirect); ok && !known[further.Issuer()] {
			p.Linkable = append(p.Linkable, page.ProviderLink{
				Name: further.Name(), Title: further.Title(), URL: web.LinkPath(at, further.Name(), "", ""),
			})
		}
	}
}

// unlinkOwn unlinks an identity of the person's own, as a form names it.
func (g *Gateway) unlinkOwn(r *web.Request, who *identity.Identity, named string) error {
	linked, err := g.Store.Identities(r.Context(), who.Subject)
	if err != nil {
		return err
	}
	for _, id := range linked {
		if g.identityID(who.Subject, id) == named {
			return g.Unlink(r.Context(), who.Subject, id)
		}
	}
	// One that has gone may not have gone to the end.
	ctx, cancel := web.Detached(r.Context())
	defer cancel()
	return g.finishUnlink(ctx, who.Subject)
}

// Suspend keeps a subject out, or lets it in again. All nodes refuse its sessions and
// tokens at once; they are good again when it is lifted. tokenstore.ErrNotFound.
func (g *Gateway) Suspend(ctx context.Context, subject string, suspended bool) error {
	ctx, cancel := web.Detached(ctx)
	defer cancel()
	if err := g.Store.Suspend(ctx, subject, suspended); err != nil {
		return err
	}
	name := "subject_resumed"
	if suspended {
		name = "subject_suspended"
	}
	g.Logger.InfoContext(ctx, name, "subject", subject)
	g.Events(ctx, name, slog.String("subject", subject))
	g.Sessions.Announce(ctx, cache.Announcement{Subjects: []string{subject}})
	return nil
}

// LinkBy is Link by an operator, of a provider by its name.
func (g *Gateway) LinkBy(ctx context.Context, subject, providerName, externalID string) error {
	p := g.providers[providerName]
	if p == nil {
		return vault.ErrProvider
	}
	if err := g.Link(ctx, subject, p, externalID); err != nil {
		return err
	}
	g.Logger.InfoContext(ctx, "identity linked by an operator", "provider", p.Name(), "subject", subject)
	g.Events(ctx, "identity_linked", slog.String("provider", p.Name()), slog.String("subject", subject))
	return nil
}

// IsLinkTaken reports whether an error of [Gateway.LinkBy] means that another account
// of the provider is linked already.
func IsLinkTaken(err error) bool { return errors.Is(err, errLinkTaken) }
