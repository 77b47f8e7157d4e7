package session

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// A session keeps the fingerprint of the credential that it came from, in its
// sealed claims (identity.Claims.Credential). Those that were begun before there
// were fingerprints have none. An upgrade must log nobody out, so each is given the
// fingerprint of now: at its first load, refresh or revalidation, or by
// [Manager.AdoptCredentials]. From then on another credential ends it.

// noteCredential has a session's row learn of its fingerprint in the background.
func (m *Manager) noteCredential(id uuid.UUID, fingerprint string) {
	m.debts.add(debt{session: id, credential: fingerprint})
	m.remind()
}

// storeCredential writes a fingerprint into a row that has none.
func (m *Manager) storeCredential(ctx context.Context, id uuid.UUID, fingerprint string) error {
	row, err := m.store.Session(ctx, id)
	m.heard(ctx, err)
	if errors.Is(err, tokenstore.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return m.addCredential(ctx, row, fingerprint)
}

func (m *Manager) addCredential(ctx context.Context, row tokenstore.Session, fingerprint string) error {
	was, err := m.openSealed(row)
	if err != nil || was.Credential != "" {
		return nil //nolint:nilerr // what cannot be read is refused wherever it is met
	}
	was.Credential = fingerprint
	sealed, err := m.sealClaims(row.ID, was)
	if err != nil {
		return err
	}
	err = m.store.ReplaceClaims(ctx, row.ID, sealed)
	m.heard(ctx, err)
	switch {
	case errors.Is(err, tokenstore.ErrNotFound):
		return nil // it has just ended
	case errors.Is(err, tokenstore.ErrInvalid):
		m.log.Warn("session's claims have no room for the credential's fingerprint; end the session if the credential changes", "session", row.ID)
		return nil
	}
	return err
}

// AdoptCredentials gives all live sessions of these users of a provider, by their
// ids there, the fingerprint of the credential that they have now, where a session
// has none yet: also to those that nobody uses at the moment, so that a credential
// that changes later ends them as well. What has a fingerprint is left alone. It
// returns how many had none. Error: [ErrUnavailable]; it may be called again.
func (m *Manager) AdoptCredentials(ctx context.Context, issuer string, ids []string) (adopted int, err error) {
	for _, id := range ids {
		subject, err := m.store.FindSubject(ctx, tokenstore.Identity{Issuer: issuer, Subject: id})
		m.heard(ctx, err)
		if errors.Is(err, tokenstore.ErrNotFound) {
			continue
		}
		if err != nil {
			return adopted, unavailable(err)
		}
		n, err := m.adoptOf(ctx, issuer, id, subject.ID)
		adopted += n
		if err != nil {
			return adopted, unavailable(err)
		}
	}
	return adopted, nil
}

func (m *Manager) adoptOf(ctx context.Context, issuer, id, subject string) (adopted int, err error) {
	query := tokenstore.SessionQuery{Subject: subject, Limit: 500}
	for row, err := range m.each(ctx, query) {
		if err != nil {
			return adopted, err
		}
		signed, err := m.openClaims(row)
		if err != nil || signed.Credential != "" || signed.Issuer != issuer || signed.ID != id {
			continue
		}
		now, err := m.acceptable(signed)
		if err != nil || now.Credential == "" {
			continue
		}
		if err := m.addCredential(ctx, row, now.Credential); err != nil {
			return adopted, err
		}
		adopted++
	}
	return adopted, nil
}
