package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// Somebody who signs in again, because a client asked for it or to choose the
// account, gets a new session with a new handle. The one that the browser held is
// not ended for it: sites that came from it would be signed out under the hands
// of their requests. The new one notes which it renews ([Start].Renews), and to
// the person they are one sign-in, that a sign-out ends as a whole.

// SignOut is [Manager.End] for what is one sign-in to the person: it ends as well
// the sign-ins that renewed the session's own, and those that it renewed, with
// all that came from them. Errors as of [Manager.End].
func (m *Manager) SignOut(ctx context.Context, id uuid.UUID) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
	defer cancel()
	err := m.signOutAll(ctx, id)
	if err == nil {
		return nil
	}
	m.Announce(ctx, cache.Announcement{Sessions: m.family(id)})
	m.owe(debt{session: id, renewals: true})
	return fmt.Errorf("signing out: %w", err)
}

// signOutAll ends the session's own sign-in last: whoever asks again because the
// answer was lost still has it until the others have ended.
func (m *Manager) signOutAll(ctx context.Context, id uuid.UUID) error {
	signIns, err := m.SignIns(ctx, id)
	if err != nil {
		return err
	}
	own := len(signIns) - 1
	for _, other := range signIns[:own] {
		if err := m.endFrom(ctx, other, other); err != nil {
			return err
		}
	}
	return m.endFrom(ctx, signIns[own], id)
}

// SignIns returns the sign-ins that are one to the person whose session this is:
// those that renewed the one that it came from, and those that it renewed, as far
// as they have not ended; and that one itself, as the last. It asks the store.
// Error: [ErrUnavailable].
func (m *Manager) SignIns(ctx context.Context, id uuid.UUID) ([]uuid.UUID, error) {
	root, err := m.root(ctx, id)
	if err != nil {
		return nil, unavailable(err)
	}
	row, err := m.store.Session(ctx, root)
	m.heard(ctx, err)
	switch {
	case errors.Is(err, tokenstore.ErrNotFound):
		return []uuid.UUID{root}, nil
	case err != nil:
		return nil, unavailable(err)
	}
	first, err := m.firstOf(ctx, row)
	if err != nil {
		return nil, err
	}
	rows, err := m.signInsSince(ctx, row, first)
	if err != nil {
		return nil, err
	}
	live, renewedBy := make(map[uuid.UUID]bool), make(map[uuid.UUID][]uuid.UUID)
	for _, r := range rows {
		live[r.ID] = r.RevokedAt.IsZero() && r.Now.Before(r.ExpiresAt)
		if former := m.Renews(r); former != uuid.Nil {
			renewedBy[former] = append(renewedBy[former], r.ID)
		}
	}
	var others []uuid.UUID
	for next := []uuid.UUID{first}; len(next) > 0; {
		one := next[0]
		next = append(next[1:], renewedBy[one]...)
		if one != root && live[one] {
			others = append(others, one)
		}
	}
	return append(others, root), nil
}

const (
	// maxRenewals and maxSignIns bound what one sign-out looks at: nobody comes
	// near, unless on purpose.
	maxRenewals = 1000
	maxSignIns  = 20_000
	// flowLife is more than a sign-in takes. Its session has the id of its flow, so
	// one that renews another can have begun before it by that much.
	flowLife = 15 * time.Minute
)

// firstOf is the sign-in that began what is one to the person, as far as it is
// still stored.
func (m *Manager) firstOf(ctx context.Context, row tokenstore.Session) (uuid.UUID, error) {
	for range maxRenewals {
		former := m.Renews(row)
		if former == uuid.Nil {
			break
		}
		before, err := m.store.Session(ctx, former)
		m.heard(ctx, err)
		switch {
		case errors.Is(err, tokenstore.ErrNotFound):
			return former, nil
		case err != nil:
			return uuid.Nil, unavailable(err)
		}
		row = before
	}
	return row.ID, nil
}

// signInsSince are the subject's sign-ins at a row's client since one of them
// began, ended ones as well: they may stand between two that have not.
func (m *Manager) signInsSince(ctx context.Context, row tokenstore.Session, first uuid.UUID) ([]tokenstore.Session, error) {
	var all []tokenstore.Session
	since := begun(first).Add(-flowLife)
	query := tokenstore.SessionQuery{Subject: row.Subject, ClientID: row.ClientID, All: true, Limit: childrenPage}
	for r, err := range m.each(ctx, query) { // the latest first
		if err != nil {
			return nil, err
		}
		if begun(r.ID).Before(since) {
			break
		}
		if all = append(all, r); len(all) >= maxSignIns {
			break
		}
	}
	return all, nil
}

// begun is the time in a UUIDv7.
func begun(id uuid.UUID) time.Time {
	return time.Unix(id.Time().UnixTime())
}

// Issuer is the [Start].Issuer of a row's session, or "".
func (m *Manager) Issuer(row tokenstore.Session) string {
	was, err := m.openSealed(row)
	if err != nil {
		return ""
	}
	return was.At
}

// From is the sign-in that a row's session came from: its parent, or the one that
// offline access was obtained with, which may have ended. Zero: it is a sign-in
// itself, or that is not known of it.
func (m *Manager) From(row tokenstore.Session) uuid.UUID {
	if row.Parent != uuid.Nil {
		return row.Parent
	}
	was, err := m.openSealed(row)
	if err != nil {
		return uuid.Nil
	}
	return was.From
}

// Renews is the sign-in that the sign-in of a row renewed, or zero.
func (m *Manager) Renews(row tokenstore.Session) uuid.UUID {
	if row.Parent != uuid.Nil {
		return uuid.Nil
	}
	was, err := m.openSealed(row)
	if err != nil {
		return uuid.Nil
	}
	return was.Renews
}
