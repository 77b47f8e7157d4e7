package flows

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/page"
	"github.com/gatehouse-auth/gatehouse/flows/web"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// homeDelegations are the clients that may act for the person while they are away, or
// could if the person let them.
func (g *Gateway) homeDelegations(r *web.Request, at web.Issuer, who *identity.Identity, linked []tokenstore.Identity, p *page.Home) error {
	rows, err := g.Store.Delegations(r.Context(), who.Subject)
	if err != nil {
		return err
	}
	said := make(map[string]tokenstore.Delegation)
	for _, row := range rows {
		said[delegationID(row.ClientID, row.Provider)] = row
	}
	// Looked up only where there is something to be judged.
	seenNow := sync.OnceValues(func() (seen, error) { return g.seenOf(r.Context(), who.Subject) })
	for _, clientID := range slices.Sorted(maps.Keys(g.Clients)) {
		c := g.Clients[clientID]
		for _, name := range c.MayActFor {
			further := g.providers[name]
			if further == nil || !slices.ContainsFunc(linked, func(id tokenstore.Identity) bool { return id.Issuer == further.Issuer() }) {
				continue
			}
			id := delegationID(clientID, further.Issuer())
			row := said[id]
			delete(said, id)
			shown := page.Delegation{
				ID: id, Client: g.siteTitle(at, clientID), Provider: further.Title(), Allowed: !row.AllowedAt.IsZero(), Since: row.AllowedAt, LastUsed: row.UsedAt,
			}
			byPolicy := !shown.Allowed && row.ForbiddenAt.IsZero() && c.ActPolicy != nil
			if shown.Allowed || byPolicy {
				now, err := seenNow()
				if err != nil {
					return err
				}
				acts := g.actsAs(r.Context(), c, now, row) != nil
				if shown.ByPolicy = byPolicy; byPolicy {
					shown.Allowed = acts
				}
				shown.Barred = !acts
			}
			p.Delegations = append(p.Delegations, shown)
		}
	}
	// What was allowed to a client that is not configured here any more can be taken back
	// all the same.
	for _, id := range slices.Sorted(maps.Keys(said)) {
		if row := said[id]; !row.AllowedAt.IsZero() {
			p.Delegations = append(p.Delegations, page.Delegation{
				ID: id, Client: g.siteTitle(at, row.ClientID), Provider: g.answers.ProviderTitle(g.providerNamed(row.Provider)), Allowed: true, Barred: true, Since: row.AllowedAt, LastUsed: row.UsedAt,
			})
		}
	}
	return nil
}

// delegationID names a client and a provider's issuer in a form. No client's id holds a
// space.
func delegationID(clientID, issuer string) string { return clientID + " " + issuer }

// delegateOwn is what a person says of a client that acts for them while they are away.
func (g *Gateway) delegateOwn(ctx context.Context, who *identity.Identity, named string, allow bool) error {
	ctx, cancel := web.Detached(ctx)
	defer cancel()
	clientID, issuer, _ := strings.Cut(named, " ")
	rows, err := g.Store.Delegations(ctx, who.Subject)
	if err != nil {
		return err
	}
	offered := g.offersDelegation(clientID, issuer)
	// A client that has gone is known by what was said of it alone.
	known := slices.ContainsFunc(rows, func(d tokenstore.Delegation) bool { return d.ClientID == clientID && d.Provider == issuer })
	if !offered && (allow || !known) {
		return tokenstore.ErrNotFound
	}
	row, name := tokenstore.Delegation{Subject: who.Subject, ClientID: clientID, Provider: issuer}, "delegation_forbidden"
	if allow {
		row.AllowedAt, name = g.Now(), "delegation_allowed"
		row.Claims = g.sealDelegation(row, lastSeen{who.Claims, row.AllowedAt})
	} else {
		row.ForbiddenAt = g.Now()
	}
	if err := g.Store.SetDelegation(ctx, row); err != nil {
		return err
	}
	provider := g.providerNamed(issuer)
	g.Logger.InfoContext(ctx, name, "client_id", clientID, "provider", provider, "user", who.User, "subject", who.Subject)
	g.Events(ctx, name, slog.String("client_id", clientID), slog.String("provider", provider), slog.String("user", who.User), slog.String("subject", who.Subject))
	return nil
}

// offersDelegation reports whether a client may act for people at the provider of an
// issuer, if they let it.
func (g *Gateway) offersDelegation(clientID, issuer string) bool {
	c := g.Clients[clientID]
	return c != nil && slices.ContainsFunc(c.MayActFor, func(name string) bool {
		p := g.providers[name]
		return p != nil && p.Issuer() == issuer
	})
}
