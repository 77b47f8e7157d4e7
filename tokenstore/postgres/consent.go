package postgres

import (
	"cmp"
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype/zeronull"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

const upsertConsent = `
	INSERT INTO consent (sub, client_id, scope, at) VALUES ($1, $2, $3, coalesce($4, {now}))
	ON CONFLICT (sub, client_id) DO UPDATE SET scope = excluded.scope, at = excluded.at`

// SetConsent records what a subject allowed a client; a later consent replaces
// the earlier one. A zero At is the store's clock.
func (s *Store) SetConsent(ctx context.Context, consent tokenstore.Consent) error {
	if err := consent.Validate(); err != nil {
		return wrap("recording consent", err)
	}
	return wrap("recording consent", s.try(ctx, repeatable, func(ctx context.Context) error {
		_, err := s.pool.Exec(ctx, s.plain(upsertConsent),
			consent.Subject, consent.ClientID, notNil(consent.Scope), zeronull.Timestamptz(consent.At))
		return err
	}))
}

// Consents lists a subject's consents, by client.
func (s *Store) Consents(ctx context.Context, subject string) ([]tokenstore.Consent, error) {
	if err := tokenstore.ValidateText("subject", subject); err != nil {
		return nil, wrap("listing consents", err)
	}
	var list []tokenstore.Consent
	err := s.try(ctx, repeatable, func(ctx context.Context) error {
		var err error
		list, err = all(ctx, s.pool, scanConsent,
			`SELECT sub, client_id, scope, at FROM consent WHERE sub = $1 ORDER BY client_id`, subject)
		return err
	})
	return list, wrap("listing consents", err)
}

func scanConsent(row pgx.CollectableRow) (tokenstore.Consent, error) {
	var consent tokenstore.Consent
	err := row.Scan(&consent.Subject, &consent.ClientID, &consent.Scope, &consent.At)
	consent.Scope = nilIfEmpty(consent.Scope)
	return consent, err
}

// DeleteConsent withdraws a consent, or answers [tokenstore.ErrNotFound].
func (s *Store) DeleteConsent(ctx context.Context, subject, clientID string) error {
	if err := cmp.Or(tokenstore.ValidateText("subject", subject), tokenstore.ValidateText("client id", clientID)); err != nil {
		return wrap("withdrawing consent", err)
	}
	return wrap("withdrawing consent", s.try(ctx, once, func(ctx context.Context) error {
		tag, err := s.pool.Exec(ctx, `DELETE FROM consent WHERE sub = $1 AND client_id = $2`, subject, clientID)
		return affected(tag, err, tokenstore.ErrNotFound)
	}))
}

// notNil is a list that is stored as an empty array rather than as NULL.
func notNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func nilIfEmpty(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	return list
}

var _ tokenstore.Subjects = (*Store)(nil)
