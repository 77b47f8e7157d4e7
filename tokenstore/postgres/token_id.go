package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

const (
	upsertRevoked = `
		INSERT INTO revoked_token AS r (jti, until) VALUES ($1, $2)
		ON CONFLICT (jti) DO UPDATE SET until = greatest(r.until, excluded.until)`
	selectRevoked = `SELECT jti, until FROM revoked_token WHERE until > {now} ORDER BY jti`
)

// RevokeTokenID refuses an access token without a session until it expires.
// Revoked twice, the later time holds.
func (s *Store) RevokeTokenID(ctx context.Context, jti string, until time.Time) error {
	if err := tokenstore.ValidateTokenID(jti, until); err != nil {
		return wrap("revoking token id", err)
	}
	return wrap("revoking token id", s.try(ctx, repeatable, func(ctx context.Context) error {
		_, err := s.pool.Exec(ctx, upsertRevoked, jti, until)
		return err
	}))
}

// RevokedTokenIDs lists those that have not yet expired.
func (s *Store) RevokedTokenIDs(ctx context.Context) ([]tokenstore.RevokedTokenID, error) {
	var list []tokenstore.RevokedTokenID
	err := s.try(ctx, repeatable, func(ctx context.Context) error {
		var err error
		list, err = all(ctx, s.pool, pgx.RowToStructByPos[tokenstore.RevokedTokenID], s.plain(selectRevoked))
		return err
	})
	return list, wrap("listing revoked token ids", err)
}
