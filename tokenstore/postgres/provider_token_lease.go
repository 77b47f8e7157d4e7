package postgres

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

const (
	leaseProviderToken = `
		UPDATE provider_token AS p SET
			lease_owner = CASE WHEN $5::bigint > 0 THEN $4 ELSE '' END,
			lease_until = CASE WHEN $5::bigint > 0 THEN {now} + $5::bigint * interval '1 microsecond' END
		WHERE p.sub = $1 AND p.provider = $2 AND p.version = $3
			AND (p.lease_owner = $4 OR $5::bigint > 0 AND (p.lease_until IS NULL OR p.lease_until <= {now}))
		RETURNING ` + providerColumns
	providerRowExists = `SELECT EXISTS (SELECT FROM provider_token WHERE sub = $1 AND provider = $2)`
)

// LeaseProviderToken takes the right to refresh a token, for at most d. Who
// holds the lease already gets it anew, or with a d of 0 gives it up: nobody
// gives up what another has held since.
func (s *Store) LeaseProviderToken(ctx context.Context, subject, provider string, version int64, owner string, d time.Duration) (tokenstore.ProviderToken, error) {
	invalid := cmp.Or(
		tokenstore.ValidateText("subject", subject),
		tokenstore.ValidateText("provider", provider),
		tokenstore.ValidateRequired("lease's owner", owner),
	)
	if invalid != nil {
		return tokenstore.ProviderToken{}, wrap("leasing provider token", invalid)
	}
	var leased tokenstore.ProviderToken
	err := s.try(ctx, repeatable, func(ctx context.Context) error {
		var err error
		leased, err = one(ctx, s.pool, scanProviderToken, s.plain(leaseProviderToken),
			subject, provider, version, owner, d.Microseconds())
		if !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		exists, err := one(ctx, s.pool, pgx.RowTo[bool], providerRowExists, subject, provider)
		if err == nil && exists {
			return tokenstore.ErrConflict
		}
		if err == nil {
			return tokenstore.ErrNotFound
		}
		return err
	})
	return leased, wrap("leasing provider token", err)
}

// UpdateProviderToken writes a token back whose Version is still the row's,
// ends the lease and returns the new row; else [tokenstore.ErrConflict]. A
// LeaseOwner without LeaseUntil stays.
func (s *Store) UpdateProviderToken(ctx context.Context, token tokenstore.ProviderToken) (tokenstore.ProviderToken, error) {
	if err := cmp.Or(token.Validate(), tokenstore.ValidateText("lease's owner", token.LeaseOwner)); err != nil {
		return tokenstore.ProviderToken{}, wrap("updating provider token", err)
	}
	if !token.LeaseUntil.IsZero() {
		token.LeaseOwner = ""
	}
	var updated tokenstore.ProviderToken
	err := s.try(ctx, once, func(ctx context.Context) error {
		var err error
		updated, err = one(ctx, s.pool, scanProviderToken, s.plain(updateProviderToken),
			append(providerTokenArgs(token), token.LeaseOwner, token.Version, token.Narrowed)...)
		if errors.Is(err, pgx.ErrNoRows) {
			return tokenstore.ErrConflict
		}
		return err
	})
	return updated, wrap("updating provider token", err)
}
