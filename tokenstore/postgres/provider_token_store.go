package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// A token is stored by three statements that are sent together and are one
// transaction: insert it if there is none (which waits for somebody else who
// is inserting one), look at what stands and lock it, and replace that unless
// this transaction has just inserted it or it is live and can do more.
//
// The first answers the clock even when nothing was inserted.
const (
	insertProviderToken = `
		WITH c AS MATERIALIZED (SELECT {now} AS now), p AS (
			INSERT INTO provider_token AS p (` + writtenColumns + `, version, lease_owner)
			SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, ` + clockVersion + `, ''
			FROM c WHERE $14 > c.now
			ON CONFLICT (sub, provider) DO NOTHING
			RETURNING p.version
		)
		SELECT c.now, (SELECT version FROM p) FROM c`

	lockProviderToken = selectProviderToken + ` FOR UPDATE OF p`

	replaceProviderToken = setProviderToken + `NULL` + whereRow + `
		AND $14 > {now} AND p.xmin <> pg_current_xact_id()::xid
		AND NOT (p.client_id = $3 AND p.refresh_expires_at > {now} AND p.refresh_revoked_at IS NULL AND NOT p.needs_reauth
			AND (p.refresh_token <> '' OR p.access_revoked_at IS NULL AND (p.expires_at IS NULL OR p.expires_at > {now}))
			AND CASE WHEN (p.refresh_token <> '' OR p.expires_at IS NULL) = ($5 <> ''::bytea OR $13::timestamptz IS NULL)
				THEN p.scopes @> $11 AND NOT p.scopes <@ $11
				ELSE p.refresh_token <> '' OR p.expires_at IS NULL END
			AND ($19::text[] IS NULL OR p.scopes <@ ($11 || $19)))
		RETURNING ` + providerColumns
)

// StoreProviderToken stores a token, unless the one stored already is live and
// can do more.
func (s *Store) StoreProviderToken(ctx context.Context, token tokenstore.ProviderToken, o tokenstore.StoreOptions) (tokenstore.StoreResult, error) {
	if err := token.Validate(); err != nil {
		return tokenstore.StoreResult{}, wrap("storing provider token", err)
	}
	var result tokenstore.StoreResult
	err := s.try(ctx, once, func(ctx context.Context) error {
		var err error
		if !o.RevokeDisplaced {
			result, _, err = s.storeProviderToken(ctx, s.pool, token, o)
			return err
		}
		return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
			var now time.Time
			result, now, err = s.storeProviderToken(ctx, tx, token, o)
			if err != nil || !o.Revokes(result) {
				return err
			}
			return s.queueRevocation(ctx, tx, *result.Displaced, now)
		})
	})
	if err != nil {
		return tokenstore.StoreResult{}, wrap("storing provider token", err)
	}
	return result, nil
}

// batcher is a pool or a transaction.
type batcher interface {
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

func (s *Store) storeProviderToken(ctx context.Context, q batcher, token tokenstore.ProviderToken, o tokenstore.StoreOptions) (tokenstore.StoreResult, time.Time, error) {
	args := providerTokenArgs(token)
	var batch pgx.Batch
	batch.Queue(s.plain(insertProviderToken), args...)
	batch.Queue(lockProviderToken, token.Subject, token.Provider)
	batch.Queue(s.plain(replaceProviderToken), append(args, "", o.Scope)...)
	results := q.SendBatch(ctx, &batch)
	stored, err := readStored(results)
	if err = closeBatch(results, err); err != nil {
		return tokenstore.StoreResult{}, time.Time{}, err
	}
	if !stored.inserted && !stored.now.Before(truncated(token.RefreshExpiresAt)) {
		return tokenstore.StoreResult{}, time.Time{}, tokenstore.ErrExpired
	}
	result, err := stored.result(token)
	return result, stored.now, err
}

// storedToken is what the three statements answered.
type storedToken struct {
	now              time.Time
	inserted         bool
	standing, latest []tokenstore.ProviderToken
}

func readStored(results pgx.BatchResults) (storedToken, error) {
	var stored storedToken
	var version *int64
	if err := results.QueryRow().Scan(&stored.now, &version); err != nil {
		return stored, err
	}
	stored.inserted = version != nil
	var err error
	if stored.standing, err = readBatch(results, scanProviderToken); err != nil {
		return stored, err
	}
	stored.latest, err = readBatch(results, scanProviderToken)
	return stored, err
}

// errDeleted: the token that stood in the way was deleted before it could be
// looked at.
var errDeleted = errors.New("provider token was deleted meanwhile")

func (t storedToken) result(token tokenstore.ProviderToken) (tokenstore.StoreResult, error) {
	switch {
	case len(t.standing) == 0:
		return tokenstore.StoreResult{}, errors.Join(tokenstore.ErrUnavailable, errDeleted)
	case t.inserted:
		return tokenstore.StoreResult{Kept: t.standing[0]}, nil
	case len(t.latest) == 1:
		return tokenstore.StoreResult{Kept: t.latest[0], Displaced: &t.standing[0]}, nil
	}
	// A version and a lease are the row's, which the token never became.
	token.Version, token.LeaseOwner, token.LeaseUntil = 0, "", time.Time{}
	return tokenstore.StoreResult{Kept: t.standing[0], Displaced: &token}, nil
}
