package sqlite

import (
	"cmp"
	"context"
	"database/sql"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// SetConsent records what a subject allowed a client; a later consent replaces
// the earlier one. A zero At is the store's clock.
func (s *Store) SetConsent(ctx context.Context, consent tokenstore.Consent) error {
	scope, err := jsonList(consent.Scope)
	if err := cmp.Or(consent.Validate(), err); err != nil {
		return wrap("recording consent", err)
	}
	return wrap("recording consent", s.write(ctx, func(t *tx) error {
		at := consent.At
		if at.IsZero() {
			at = t.now
		}
		_, err := t.exec(ctx, `
			INSERT INTO consent (subject, client_id, scope, at) VALUES (?, ?, ?, ?)
			ON CONFLICT (subject, client_id) DO UPDATE SET scope = excluded.scope, at = excluded.at`,
			consent.Subject, consent.ClientID, scope, micros(at))
		return err
	}))
}

// Consents lists a subject's consents, by client.
func (s *Store) Consents(ctx context.Context, subject string) ([]tokenstore.Consent, error) {
	list, err := s.consents(ctx, subject)
	return list, wrap("listing consents", err)
}

func (s *Store) consents(ctx context.Context, subject string) ([]tokenstore.Consent, error) {
	if err := tokenstore.ValidateText("subject", subject); err != nil {
		return nil, err
	}
	q, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	return all(ctx, q, scanConsent,
		`SELECT subject, client_id, scope, at FROM consent WHERE subject = ? ORDER BY client_id`, subject)
}

func scanConsent(row scanner) (tokenstore.Consent, error) {
	var consent tokenstore.Consent
	var scope string
	var at sql.NullInt64
	if err := row.Scan(&consent.Subject, &consent.ClientID, &scope, &at); err != nil {
		return tokenstore.Consent{}, err
	}
	consent.At = instant(at)
	var err error
	consent.Scope, err = parseList(scope)
	return consent, err
}

// DeleteConsent withdraws a consent, or answers [tokenstore.ErrNotFound].
func (s *Store) DeleteConsent(ctx context.Context, subject, clientID string) error {
	if err := cmp.Or(tokenstore.ValidateText("subject", subject), tokenstore.ValidateText("client id", clientID)); err != nil {
		return wrap("withdrawing consent", err)
	}
	return wrap("withdrawing consent", s.write(ctx, func(t *tx) error {
		return found(t.exec(ctx, `DELETE FROM consent WHERE subject = ? AND client_id = ?`, subject, clientID))
	}))
}
