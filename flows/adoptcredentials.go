package flows

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

// adoptRetry is how long to wait for a token store that does not answer.
const adoptRetry = 5 * time.Second

// adoptCredentials has the sessions that were begun before an upgrade to
// fingerprints adopt those of the credentials of now, once, at the start: whoever
// changes a password tomorrow must end a session that nobody has used since, too.
func (g *Gateway) adoptCredentials(ctx context.Context) {
	for _, p := range g.Providers {
		lister, ok := p.(provider.Lister)
		if !ok {
			continue
		}
		for g.Sessions.AdoptCredentials(ctx, p.Issuer(), lister.IDs()) != nil {
			select {
			case <-ctx.Done():
				return
			case <-time.After(adoptRetry):
			}
		}
	}
}
