package sqlite

import (
	"cmp"
	"context"
	"database/sql"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// The subject's state comes with it.
const selectDelegation = `
	SELECT s.suspended_at IS NOT NULL, EXISTS (SELECT 1 FROM identity WHERE subject = s.id AND issuer = ?),
		d.allowed_at, d.forbidden_at, d.claims, d.used_at
	FROM subject s LEFT JOIN delegation d ON d.subject = s.id AND d.client_id = ? AND d.provider = ?
	WHERE s.id = ?`

// SetDelegation records what the subject says now about a client.
func (s *Store) SetDelegation(ctx context.Context, d tokenstore.Delegation) error {
	if err := d.Validate(); err != nil {
		return wrap("recording delegation", err)
	}
	return wrap("recording delegation", s.write(ctx, func(t *tx) error {
		_, err := t.exec(ctx, `
			INSERT INTO delegation (subject, client_id, provider, allowed_at, forbidden_at, claims) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (subject, client_id, provider) DO UPDATE
			SET allowed_at = excluded.allowed_at, forbidden_at = excluded.forbidden_at, claims = excluded.claims`,
			d.Subject, d.ClientID, d.Provider, micros(d.AllowedAt), micros(d.ForbiddenAt), d.Claims)
		return err
	}))
}

// Delegation returns one, without any time if nothing was recorded.
// [tokenstore.ErrNotFound] if there is no such subject, [tokenstore.ErrSuspended].
func (s *Store) Delegation(ctx context.Context, subject, clientID, provider string) (tokenstore.Delegation, error) {
	d, err := s.delegation(ctx, subject, clientID, provider)
	return d, wrap("reading delegation", err)
}

func (s *Store) delegation(ctx context.Context, subject, clientID, provider string) (tokenstore.Delegation, error) {
	if err := tokenstore.ValidateDelegation(subject, clientID, provider); err != nil {
		return tokenstore.Delegation{}, err
	}
	q, err := s.read(ctx)
	if err != nil {
		return tokenstore.Delegation{}, err
	}
	return one(ctx, q, func(row scanner) (tokenstore.Delegation, error) {
		var suspended bool
		d := tokenstore.Delegation{Subject: subject, ClientID: clientID, Provider: provider}
		err := scanWhen(row, &d, &suspended, &d.Linked)
		if err == nil && suspended {
			return tokenstore.Delegation{}, tokenstore.ErrSuspended
		}
		return d, err
	}, selectDelegation, provider, clientID, provider, subject)
}

// scanWhen reads a delegation's further columns, behind those that go first.
func scanWhen(row scanner, d *tokenstore.Delegation, first ...any) error {
	var allowed, forbidden, used sql.NullInt64
	err := row.Scan(append(first, &allowed, &forbidden, &d.Claims, &used)...)
	d.AllowedAt, d.ForbiddenAt, d.UsedAt = instant(allowed), instant(forbidden), instant(used)
	return err
}

// Delegations lists a subject's, by client and provider.
func (s *Store) Delegations(ctx context.Context, subject string) ([]tokenstore.Delegation, error) {
	list, err := s.delegations(ctx, subject)
	return list, wrap("listing delegations", err)
}

func (s *Store) delegations(ctx context.Context, subject string) ([]tokenstore.Delegation, error) {
	if err := tokenstore.ValidateText("subject", subject); err != nil {
		return nil, err
	}
	q, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	return all(ctx, q, func(row scanner) (d tokenstore.Delegation, err error) {
		err = scanWhen(row, &d, &d.Subject, &d.ClientID, &d.Provider)
		return d, err
	}, `
		SELECT subject, client_id, provider, allowed_at, forbidden_at, claims, used_at
		FROM delegation WHERE subject = ? ORDER BY client_id, provider`, subject)
}

// UseDelegation records that the client has a token by it now.
// [tokenstore.ErrConflict] if the subject has said something else since it was read.
func (s *Store) UseDelegation(ctx context.Context, d tokenstore.Delegation) error {
	if err := d.Validate(); err != nil {
		return wrap("using delegation", err)
	}
	return wrap("using delegation", s.write(ctx, func(t *tx) error {
		var now tokenstore.Delegation
		var suspended, linked bool
		_, err := one(ctx, t, func(row scanner) (tokenstore.Delegation, error) {
			return now, scanWhen(row, &now, &suspended, &linked)
		}, selectDelegation, d.Provider, d.ClientID, d.Provider, d.Subject)
		switch {
		case err != nil:
			return err
		case suspended:
			return tokenstore.ErrSuspended
		case !linked, !now.ForbiddenAt.IsZero(), !now.AllowedAt.Equal(d.AllowedAt):
			return tokenstore.ErrConflict
		}
		_, err = t.exec(ctx, `
			INSERT INTO delegation (subject, client_id, provider, used_at) VALUES (?, ?, ?, ?)
			ON CONFLICT (subject, client_id, provider) DO UPDATE SET used_at = excluded.used_at`,
			d.Subject, d.ClientID, d.Provider, t.now.UnixMicro())
		return err
	}))
}

// SetDelegationClaims records who the subject is now, unless they have said something
// else since it was read.
func (s *Store) SetDelegationClaims(ctx context.Context, d tokenstore.Delegation) error {
	if err := d.Validate(); err != nil {
		return wrap("recording delegation's claims", err)
	}
	return wrap("recording delegation's claims", s.write(ctx, func(t *tx) error {
		_, err := t.exec(ctx, `
			UPDATE delegation SET claims = ?
			WHERE subject = ? AND client_id = ? AND provider = ? AND allowed_at = ? AND forbidden_at IS NULL`,
			d.Claims, d.Subject, d.ClientID, d.Provider, micros(d.AllowedAt))
		return err
	}))
}

// DeleteDelegations forgets a subject's delegations for a provider, save those that
// the subject has forbidden.
func (s *Store) DeleteDelegations(ctx context.Context, subject, provider string) error {
	if err := cmp.Or(tokenstore.ValidateText("subject", subject), tokenstore.ValidateText("provider", provider)); err != nil {
		return wrap("deleting delegations", err)
	}
	return wrap("deleting delegations", s.write(ctx, func(t *tx) error {
		_, err := t.exec(ctx, `DELETE FROM delegation WHERE subject = ? AND provider = ? AND forbidden_at IS NULL`, subject, provider)
		return err
	}))
}
