package flows

import (
	"context"
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
		some, err := from.Remove(ctx, q)
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
