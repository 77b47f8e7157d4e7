package sqlite

import (
	"context"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// ReplaceClaims replaces the sealed claims of a session.
func (s *Store) ReplaceClaims(ctx context.Context, id uuid.UUID, claims []byte) error {
	if err := tokenstore.ValidateClaims(claims); err != nil {
		return wrap("replacing claims", err)
	}
	return wrap("replacing claims", s.single(ctx, func(t *tx) error {
		n, err := t.exec(ctx, `UPDATE session SET claims = ? WHERE id = ? AND revoked_at IS NULL`, claims, id[:])
		if err == nil && n == 0 {
			return tokenstore.ErrNotFound
		}
		return err
	}))
}
