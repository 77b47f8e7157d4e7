package sqlite

import (
	"context"
	"time"
)

// RevokeTokenID refuses an access token without a session until it expires.
// Revoked twice, the later time holds.
func (s *Store) RevokeTokenID(ctx context.Context, jti string, until time.Time) error {
	var c checker
	c.required("token id", jti, 0)
	c.moment("expiry", until)
	if until.IsZero() {
		c.fault("expiry", "is missing")
	}
	if c.err != nil {
		return wrap("revoking token id", c.err)
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
