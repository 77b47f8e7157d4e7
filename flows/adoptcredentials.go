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
		for {
			adopted, err := g.Sessions.AdoptCredentials(ctx, p.Issuer(), lister.IDs())
			if adopted > 0 {
				g.Logger.InfoContext(ctx, "sessions from before an upgrade end with the password from now on", "provider", p.Name(), "sessions", adopted)
			}
			if err == nil {
				break
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(adoptRetry):
			}
		}
	}
}
