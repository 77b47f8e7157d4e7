package session

import (
	"context"
	"errors"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// Rotate redeems a refresh token: tokenstore.Store.Rotate, after which all nodes are
// told of the sessions that a reuse has revoked (RFC 9700, section 4.14.2). A caller
// that refuses what the row says gives the generation back by
// tokenstore.Store.UnrotateSession. Errors are those of Rotate in the store.
func (m *Manager) Rotate(ctx context.Context, r tokenstore.Rotation) (tokenstore.RotationResult, error) {
	result, err := m.store.Rotate(ctx, r)
	if errors.Is(err, tokenstore.ErrReused) && len(result.Reused) > 0 {
		m.Announce(ctx, cache.Announcement{Sessions: result.Reused})
	}
	return result, err
}
