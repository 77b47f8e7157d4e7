package postgres

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

const replaceClaims = `UPDATE {session} AS s SET claims = $2 WHERE s.id = $1 AND s.revoked_at IS NULL`

// ReplaceClaims replaces the sealed claims of a session.
func (s *Store) ReplaceClaims(ctx context.Context, id uuid.UUID, claims []byte) error {
	if err := tokenstore.ValidateClaims(claims); err != nil {
		return wrap("replacing claims", err)
	}
	st := statement{template: replaceClaims, session: monthOf(id)}
	err := s.tryLeaf(ctx, repeatable, st, func(ctx context.Context, st statement) error {
		tag, err := s.pool.Exec(ctx, s.text(st), [16]byte(id), notNull(claims))
		return affected(tag, err, pgx.ErrNoRows)
	})
	return wrap("replacing claims", err)
}
