package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// providerTokenColumns are a provider token's columns in the order of
// [scanProviderToken].
const providerTokenColumns = `subject, provider, client_id, access_token, refresh_token, access_hash, refresh_hash, key_id,
	token_type, scope, issued_at, expires_at, refresh_expires_at, access_revoked_at, refresh_revoked_at,
	needs_reauth, version, lease_owner, lease_until, narrowed`

const selectProviderToken = `
	SELECT ` + providerTokenColumns + ` FROM provider_token WHERE subject = ? AND provider = ?`

func scanProviderToken(row scanner) (tokenstore.ProviderToken, error) {
	var t tokenstore.ProviderToken
	var issued, expires, refreshExpires, accessRevoked, refreshRevoked, lease sql.NullInt64
	err := row.Scan(&t.Subject, &t.Provider, &t.ClientID, &t.AccessToken, &t.RefreshToken, &t.AccessHash, &t.RefreshHash, &t.KeyID,
		&t.TokenType, &t.Scope, &issued, &expires, &refreshExpires, &accessRevoked, &refreshRevoked,
		&t.NeedsReauth, &t.Version, &t.LeaseOwner, &lease, &t.Narrowed)
	if len(t.RefreshToken) == 0 {
		t.RefreshToken = nil
	}
	t.IssuedAt, t.ExpiresAt, t.RefreshExpiresAt = instant(issued), instant(expires), instant(refreshExpires)
	t.AccessRevokedAt, t.RefreshRevokedAt, t.LeaseUntil = instant(accessRevoked), instant(refreshRevoked), instant(lease)
	return t, err
}

// ProviderToken returns a subject's token for a provider, or
// [tokenstore.ErrNotFound].
func (s *Store) ProviderToken(ctx context.Context, subject, provider string) (tokenstore.ProviderToken, error) {
	token, err := s.providerToken(ctx, subject, provider)
	return token, wrap("reading provider token", err)
}

func (s *Store) providerToken(ctx context.Context, subject, provider string) (tokenstore.ProviderToken, error) {
	if err := cmp.Or(tokenstore.ValidateText("subject", subject), tokenstore.ValidateText("provider", provider)); err != nil {
		return tokenstore.ProviderToken{}, err
	}
	q, err := s.read(ctx)
	if err != nil {
		return tokenstore.ProviderToken{}, err
	}
	return one(ctx, q, scanProviderToken, selectProviderToken, subject, provider)
}

// StoreProviderToken stores a token, unless the one stored already is live and
// can do more.
func (s *Store) StoreProviderToken(ctx context.Context, token tokenstore.ProviderToken, o tokenstore.StoreOptions) (tokenstore.StoreResult, error) {
	if err := token.Validate(); err != nil {
		return tokenstore.StoreResult{}, wrap("storing provider token", err)
	}
	var result tokenstore.StoreResult
	err := s.write(ctx, func(t *tx) error {
		var err error
		result, err = t.storeProviderToken(ctx, token, o)
		if err != nil || !o.Revokes(result) {
			return err
		}
		return t.queueRevocation(ctx, *result.Displaced)
	})
	if err != nil {
		return tokenstore.StoreResult{}, wrap("storing provider token", err)
	}
	return result, nil
}

func (t *tx) storeProviderToken(ctx context.Context, token tokenstore.ProviderToken, o tokenstore.StoreOptions) (tokenstore.StoreResult, error) {
	if !t.now.Before(token.RefreshExpiresAt) {
		return tokenstore.StoreResult{}, tokenstore.ErrExpired
	}
	// A lease is of the row, and a version is the store's to give: the clock,
	// so that a row stored anew does not repeat a version of the one deleted.
	token.LeaseOwner, token.LeaseUntil, token.Narrowed = "", time.Time{}, nil
	token.Version = t.now.UnixMicro()
	var result tokenstore.StoreResult
	former, err := one(ctx, t, scanProviderToken, selectProviderToken, token.Subject, token.Provider)
	switch {
	case errors.Is(err, tokenstore.ErrNotFound):
	case err != nil:
		return tokenstore.StoreResult{}, err
	case o.Keeps(former, token, t.now):
		token.Version = 0
		return tokenstore.StoreResult{Kept: former, Displaced: &token}, nil
	default:
		token.Version = max(token.Version, former.Version+1)
		result.Displaced = &former
	}
	result.Kept, err = t.writeProviderToken(ctx, token)
	return result, err
}

// writeProviderToken inserts or replaces a row.
func (t *tx) writeProviderToken(ctx context.Context, p tokenstore.ProviderToken) (tokenstore.ProviderToken, error) {
	return one(ctx, t, scanProviderToken, `
		INSERT OR REPLACE INTO provider_token (`+providerTokenColumns+`)
		VALUES (`+strings.TrimSuffix(strings.Repeat("?, ", 20), ", ")+`)
		RETURNING `+providerTokenColumns,
		p.Subject, p.Provider, p.ClientID, p.AccessToken, append([]byte{}, p.RefreshToken...), p.AccessHash, p.RefreshHash, p.KeyID,
		p.TokenType, p.Scope, micros(p.IssuedAt), micros(p.ExpiresAt), micros(p.RefreshExpiresAt),
		micros(p.AccessRevokedAt), micros(p.RefreshRevokedAt), p.NeedsReauth, p.Version, p.LeaseOwner, micros(p.LeaseUntil), p.Narrowed)
}
