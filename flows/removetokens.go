package flows

import (
	"context"
	"fmt"
	"slices"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows/vault"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// RemoveProviderTokens removes everything that a query selects from a vault, has
// it revoked at the providers, and tells all nodes, which pass none of it on any
// more. It returns what went, also beside an error.
func (g *Gateway) RemoveProviderTokens(ctx context.Context, from *vault.Vault, q vault.Query) ([]vault.Token, error) {
	q.Limit = 1000
	var removed []vault.Token
	for {
		if err := ctx.Err(); err != nil {
			return removed, fmt.Errorf("removing provider tokens: %w", err)
		}
		some, err := removePage(ctx, from, q)
		removed = append(removed, some...)
		g.announceRemoved(ctx, some)
		if err != nil || len(some) < q.Limit {
			return removed, err
		}
	}
}

// removePage does not stop when ctx ends: of what has gone the other nodes must be
// told.
func removePage(ctx context.Context, from *vault.Vault, q vault.Query) ([]vault.Token, error) {
	ctx, cancel := web.Detached(ctx)
	defer cancel()
	return from.Remove(ctx, q)
}

// RemoveProviderTokenValue is RemoveProviderTokens of the one with an access or
// refresh token. None is no error.
func (g *Gateway) RemoveProviderTokenValue(ctx context.Context, from *vault.Vault, token string) ([]vault.Token, error) {
	ctx, cancel := web.Detached(ctx)
	defer cancel()
	removed, err := from.RemoveValue(ctx, token)
	g.announceRemoved(ctx, removed)
	return removed, err
}

// announceRemoved has all nodes look up what they have of the users whose tokens went.
func (g *Gateway) announceRemoved(ctx context.Context, removed []vault.Token) {
	var subjects []string
	for _, t := range removed {
		if !slices.Contains(subjects, t.Subject) {
			subjects = append(subjects, t.Subject)
		}
	}
	if len(subjects) > 0 {
		g.Sessions.Announce(ctx, cache.Announcement{Subjects: subjects})
	}
}
