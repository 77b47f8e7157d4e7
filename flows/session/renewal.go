package session

import (
	"context"
	"errors"
	"fmt"

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
	live := make(map[uuid.UUID]bool)
	renews, renewedBy := make(map[uuid.UUID]uuid.UUID), make(map[uuid.UUID][]uuid.UUID)
	// Ended ones as well: they may stand between two that have not.
	query := tokenstore.SessionQuery{Subject: row.Subject, ClientID: row.ClientID, All: true, Limit: childrenPage}
	for more := true; more; {
		rows, err := m.store.ListSessions(ctx, query)
		m.heard(ctx, err)
		if err != nil {
			return nil, unavailable(err)
		}
		for _, r := range rows {
			query.Before = r.ID
			live[r.ID] = r.RevokedAt.IsZero() && r.Now.Before(r.ExpiresAt)
			if former := m.Renews(r); former != uuid.Nil {
				renews[r.ID] = former
				renewedBy[former] = append(renewedBy[former], r.ID)
			}
		}
		more = len(rows) == query.Limit
	}
	first := root
	for renews[first] != uuid.Nil {
		first = renews[first]
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

// Issuer is the [Start].Issuer of a row's session, or "".
func (m *Manager) Issuer(row tokenstore.Session) string {
	was, err := m.openSealed(row)
	if err != nil {
		return ""
	}
	return was.At
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
