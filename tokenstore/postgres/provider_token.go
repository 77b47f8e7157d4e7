package postgres

import (
	"cmp"
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype/zeronull"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// providerColumns are a provider token's columns, of the table p, in the
// order of [scanProviderToken].
const providerColumns = `p.sub, p.provider, p.client_id, p.access_token, p.refresh_token, p.access_hash, p.refresh_hash, p.key_id,
	p.token_type, p.scope, p.issued_at, p.expires_at, p.refresh_expires_at, p.access_revoked_at, p.refresh_revoked_at,
	p.needs_reauth, p.version, p.lease_owner, p.lease_until, p.narrowed`

const selectProviderToken = `SELECT ` + providerColumns + ` FROM provider_token p WHERE p.sub = $1 AND p.provider = $2`

func scanProviderToken(row pgx.CollectableRow) (tokenstore.ProviderToken, error) {
	var t tokenstore.ProviderToken
	err := row.Scan(providerTokenTargets(&t)...)
	if len(t.RefreshToken) == 0 {
		t.RefreshToken = nil
	}
	return t, err
}

func providerTokenTargets(t *tokenstore.ProviderToken) []any {
	return []any{
		&t.Subject, &t.Provider, &t.ClientID, &t.AccessToken, &t.RefreshToken, &t.AccessHash, &t.RefreshHash, &t.KeyID,
		&t.TokenType, &t.Scope, (*zeronull.Timestamptz)(&t.IssuedAt), (*zeronull.Timestamptz)(&t.ExpiresAt), &t.RefreshExpiresAt,
		(*zeronull.Timestamptz)(&t.AccessRevokedAt), (*zeronull.Timestamptz)(&t.RefreshRevokedAt),
		&t.NeedsReauth, &t.Version, &t.LeaseOwner, (*zeronull.Timestamptz)(&t.LeaseUntil), &t.Narrowed,
	}
}

// providerTokenArgs are what a caller says of a token: the arguments $1 to $17
// of the statements that write one.
func providerTokenArgs(t tokenstore.ProviderToken) []any {
	return []any{
		t.Subject, t.Provider, t.ClientID, t.AccessToken, notNil(t.RefreshToken), t.AccessHash, t.RefreshHash, t.KeyID,
		t.TokenType, t.Scope, notNil(t.GetScope()), zeronull.Timestamptz(t.IssuedAt), zeronull.Timestamptz(t.ExpiresAt), t.RefreshExpiresAt,
		zeronull.Timestamptz(t.AccessRevokedAt), zeronull.Timestamptz(t.RefreshRevokedAt), t.NeedsReauth,
	}
}

// The version is the clock in microseconds, and greater than the one before,
// so that a row stored anew does not repeat a version of the one deleted. A
// write ends the lease; $18 is the owner that stays. What follows says what becomes of
// the narrowed tokens.
const (
	clockVersion = `(extract(epoch FROM {now}) * 1000000)::bigint`

	writtenColumns = `sub, provider, client_id, access_token, refresh_token, access_hash, refresh_hash, key_id,
		token_type, scope, scopes, issued_at, expires_at, refresh_expires_at, access_revoked_at, refresh_revoked_at, needs_reauth`

	setProviderToken = `
		UPDATE provider_token AS p SET (` + writtenColumns + `, version, lease_owner, lease_until, narrowed)
			= ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,
				greatest(p.version + 1, ` + clockVersion + `), $18, NULL, `

	whereRow = `) WHERE p.sub = $1 AND p.provider = $2`

	updateProviderToken = setProviderToken + `$20` + whereRow + ` AND p.version = $19 RETURNING ` + providerColumns
)

// ProviderToken returns a subject's token for a provider, or
// [tokenstore.ErrNotFound].
func (s *Store) ProviderToken(ctx context.Context, subject, provider string) (tokenstore.ProviderToken, error) {
	if err := cmp.Or(tokenstore.ValidateText("subject", subject), tokenstore.ValidateText("provider", provider)); err != nil {
		return tokenstore.ProviderToken{}, wrap("reading provider token", err)
	}
	var token tokenstore.ProviderToken
	err := s.try(ctx, repeatable, func(ctx context.Context) error {
		var err error
		token, err = one(ctx, s.pool, scanProviderToken, selectProviderToken, subject, provider)
		return err
	})
	return token, wrap("reading provider token", err)
}

// truncated is a time as the database keeps it.
func truncated(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
