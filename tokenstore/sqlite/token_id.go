package sqlite

import (
	"context"
	"database/sql"
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

func scanRevokedTokenID(row scanner) (tokenstore.RevokedTokenID, error) {
	var revoked tokenstore.RevokedTokenID
	var until sql.NullInt64
	err := row.Scan(&revoked.ID, &until)
	revoked.Until = instant(until)
	return revoked, err
}

// RevokedTokenIDs lists those that have not yet expired.
func (s *Store) RevokedTokenIDs(ctx context.Context) ([]tokenstore.RevokedTokenID, error) {
	q, err := s.read(ctx)
	if err != nil {
		return nil, wrap("listing revoked token ids", err)
	}
	list, err := all(ctx, q, scanRevokedTokenID,
		`SELECT jti, until FROM revoked_token WHERE until > ? ORDER BY jti`, s.now().UnixMicro())
	return list, wrap("listing revoked token ids", err)
}
