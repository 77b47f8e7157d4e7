package flows

import (
	"context"
	"fmt"
	"slices"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows/vault"
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
		var subjects []string
		for _, t := range some {
			if !slices.Contains(subjects, t.Subject) {
				subjects = append(subjects, t.Subject)
			}
		}
		if len(subjects) > 0 {
			g.Sessions.Announce(ctx, cache.Announcement{Subjects: subjects})
		}
		if err != nil || len(some) < q.Limit {
			return removed, err
		}
	}
}

// removePage does not stop when ctx ends: of what has gone the other nodes must be
// told.
func removePage(ctx context.Context, from *vault.Vault, q vault.Query) ([]vault.Token, error) {
	ctx, cancel := lasting(ctx)
	defer cancel()
	return from.Remove(ctx, q)
}
