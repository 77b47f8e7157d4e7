package flows

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// keepGroups leaves out of somebody's claims the groups that are not kept, once the
// provider's own rules have judged all of them, and says so.
func (g *Gateway) keepGroups(ctx context.Context, c *identity.Claims) {
	left := g.Keep(c.Provider).Apply(c)
	if left == 0 {
		return
	}
	g.Logger.InfoContext(ctx, "some of a user's groups are not kept: those that keep_groups does not name, or beyond 16 KiB of names; groups that rules name come first",
		"provider", c.Provider, "user", c.User, "kept", len(c.Groups), "left_out", left)
}
