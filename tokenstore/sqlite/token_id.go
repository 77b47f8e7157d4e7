package sqlite

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// RevokeTokenID refuses an access token without a session until it expires.
// Revoked twice, the later time holds.
func (s *Store) RevokeTokenID(ctx context.Context, jti string, until time.Time) error {
	if err := tokenstore.ValidateTokenID(jti, until); err != nil {
		return wrap("revoking token id", err)
	}
	return wrap("revoking token id", s.write(ctx, func(t *tx) error {
		_, err := t.exec(ctx, `
			INSERT INTO revoked_token (jti, until) VALUES (?, ?)
			ON CONFLICT (jti) DO UPDATE SET until = max(until, excluded.until)`, jti, until.UnixMicro())
		return err
	}))
}

// RevokedTokenIDs lists those that have not yet expired.
func (s *Store) RevokedTokenIDs(ctx context.Context) ([]string, error) {
	q, err := s.read(ctx)
	if err != nil {
		return nil, wrap("listing revoked token ids", err)
	}
	list, err := all(ctx, q, scanOne[string],
		`SELECT jti FROM revoked_token WHERE until > ? ORDER BY jti`, s.now().UnixMicro())
	return list, wrap("listing revoked token ids", err)
}
