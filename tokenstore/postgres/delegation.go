package postgres

import (
	"cmp"
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype/zeronull"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

const (
	upsertDelegation = `
		INSERT INTO delegation (sub, client_id, provider, allowed_at, forbidden_at, claims) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (sub, client_id, provider) DO UPDATE
		SET allowed_at = excluded.allowed_at, forbidden_at = excluded.forbidden_at, claims = excluded.claims`

	// What the subject said last is compared in the statement: a prohibition of this
	// moment counts.
	mayUse = `
		EXISTS (SELECT FROM subject WHERE id = $1 AND suspended_at IS NULL)
		AND EXISTS (SELECT FROM identity WHERE sub = $1 AND issuer = $3)`

	useAllowed = `
		UPDATE delegation SET used_at = {now}
		WHERE sub = $1 AND client_id = $2 AND provider = $3 AND allowed_at = $4 AND forbidden_at IS NULL AND ` + mayUse

	useByPolicy = `
		INSERT INTO delegation (sub, client_id, provider, used_at)
		SELECT $1, $2, $3, {now} WHERE ` + mayUse + `
		ON CONFLICT (sub, client_id, provider) DO UPDATE SET used_at = excluded.used_at
		WHERE delegation.allowed_at IS NULL AND delegation.forbidden_at IS NULL`

	updateDelegationClaims = `
		UPDATE delegation SET claims = $5
		WHERE sub = $1 AND client_id = $2 AND provider = $3 AND allowed_at = $4 AND forbidden_at IS NULL`

	// The subject's state comes with it, in one round trip.
	selectDelegation = `
		SELECT sub.suspended_at IS NOT NULL, EXISTS (SELECT FROM identity WHERE sub = $1 AND issuer = $3),
			d.allowed_at, d.forbidden_at, d.claims, d.used_at
		FROM subject sub LEFT JOIN delegation d ON d.sub = sub.id AND d.client_id = $2 AND d.provider = $3
		WHERE sub.id = $1`

	selectDelegations = `
		SELECT sub, client_id, provider, allowed_at, forbidden_at, claims, used_at
		FROM delegation WHERE sub = $1 ORDER BY client_id, provider`
)

// SetDelegation records what the subject says now about a client.
func (s *Store) SetDelegation(ctx context.Context, d tokenstore.Delegation) error {
	if err := d.Validate(); err != nil {
		return wrap("recording delegation", err)
	}
	return wrap("recording delegation", s.try(ctx, repeatable, func(ctx context.Context) error {
		_, err := s.pool.Exec(ctx, upsertDelegation, d.Subject, d.ClientID, d.Provider,
			zeronull.Timestamptz(d.AllowedAt), zeronull.Timestamptz(d.ForbiddenAt), d.Claims)
		return err
	}))
}

// Delegation returns one, without any time if nothing was recorded.
// [tokenstore.ErrNotFound] if there is no such subject, [tokenstore.ErrSuspended].
func (s *Store) Delegation(ctx context.Context, subject, clientID, provider string) (tokenstore.Delegation, error) {
	if err := tokenstore.ValidateDelegation(subject, clientID, provider); err != nil {
		return tokenstore.Delegation{}, wrap("reading delegation", err)
	}
	d := tokenstore.Delegation{Subject: subject, ClientID: clientID, Provider: provider}
	var suspended bool
	err := s.try(ctx, repeatable, func(ctx context.Context) error {
		return s.pool.QueryRow(ctx, selectDelegation, subject, clientID, provider).Scan(&suspended, &d.Linked,
			(*zeronull.Timestamptz)(&d.AllowedAt), (*zeronull.Timestamptz)(&d.ForbiddenAt), &d.Claims, (*zeronull.Timestamptz)(&d.UsedAt))
	})
	switch {
	case err != nil:
		return tokenstore.Delegation{}, wrap("reading delegation", err)
	case suspended:
		return tokenstore.Delegation{}, wrap("reading delegation", tokenstore.ErrSuspended)
	}
	return d, nil
}

// Delegations lists a subject's, by client and provider.
func (s *Store) Delegations(ctx context.Context, subject string) ([]tokenstore.Delegation, error) {
	if err := tokenstore.ValidateText("subject", subject); err != nil {
		return nil, wrap("listing delegations", err)
	}
	var list []tokenstore.Delegation
	err := s.try(ctx, repeatable, func(ctx context.Context) error {
		var err error
		list, err = all(ctx, s.pool, scanDelegation, selectDelegations, subject)
		return err
	})
	return list, wrap("listing delegations", err)
}

func scanDelegation(row pgx.CollectableRow) (tokenstore.Delegation, error) {
	var d tokenstore.Delegation
	err := row.Scan(&d.Subject, &d.ClientID, &d.Provider,
		(*zeronull.Timestamptz)(&d.AllowedAt), (*zeronull.Timestamptz)(&d.ForbiddenAt), &d.Claims, (*zeronull.Timestamptz)(&d.UsedAt))
	return d, err
}

// UseDelegation records that the client has a token by it now.
// [tokenstore.ErrConflict] if the subject has said something else since it was read.
func (s *Store) UseDelegation(ctx context.Context, d tokenstore.Delegation) error {
	if err := d.Validate(); err != nil {
		return wrap("using delegation", err)
	}
	statement, args := useByPolicy, []any{d.Subject, d.ClientID, d.Provider}
	if !d.AllowedAt.IsZero() {
		statement, args = useAllowed, append(args, d.AllowedAt)
	}
	err := s.try(ctx, repeatable, func(ctx context.Context) error {
		tag, err := s.pool.Exec(ctx, s.plain(statement), args...)
		return affected(tag, err, tokenstore.ErrConflict)
	})
	if errors.Is(err, tokenstore.ErrConflict) {
		if _, why := s.Delegation(ctx, d.Subject, d.ClientID, d.Provider); why != nil {
			return why
		}
	}
	return wrap("using delegation", err)
}

// SetDelegationClaims records who the subject is now, unless they have said something
// else since it was read.
func (s *Store) SetDelegationClaims(ctx context.Context, d tokenstore.Delegation) error {
	if err := d.Validate(); err != nil {
		return wrap("recording delegation's claims", err)
	}
	return wrap("recording delegation's claims", s.try(ctx, repeatable, func(ctx context.Context) error {
		_, err := s.pool.Exec(ctx, updateDelegationClaims, d.Subject, d.ClientID, d.Provider, zeronull.Timestamptz(d.AllowedAt), d.Claims)
		return err
	}))
}

// DeleteDelegations forgets a subject's delegations for a provider, save those that
// the subject has forbidden.
func (s *Store) DeleteDelegations(ctx context.Context, subject, provider string) error {
	if err := cmp.Or(tokenstore.ValidateText("subject", subject), tokenstore.ValidateText("provider", provider)); err != nil {
		return wrap("deleting delegations", err)
	}
	return wrap("deleting delegations", s.try(ctx, repeatable, func(ctx context.Context) error {
		_, err := s.pool.Exec(ctx, `DELETE FROM delegation WHERE sub = $1 AND provider = $2 AND forbidden_at IS NULL`, subject, provider)
		return err
	}))
}
