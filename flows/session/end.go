package session

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// childrenPage is how many sessions are listed at once.
const childrenPage = 100

// End signs out: it revokes the portal sign-in that the session came from, or
// the session itself if it has none, with everything that came from that, and
// tells all nodes. A session that has ended already, or is unknown, is no
// error. It does not stop when ctx ends.
//
// An error (ErrUnavailable) means that the revocation is not stored. The
// session is refused all the same by every node that heard of it, and this
// node goes on trying to store it while it runs.
func (m *Manager) End(ctx context.Context, id uuid.UUID) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
	defer cancel()
	err := m.signOut(ctx, id)
	if err == nil {
		return nil
	}
	m.Announce(ctx, cache.Announcement{Sessions: m.family(id)})
	m.owe(debt{session: id, signOut: true})
	return fmt.Errorf("ending session: %w", err)
}

// EndSubject ends all sessions of a subject. Errors as for [Manager.End]; an
// empty subject is tokenstore.ErrInvalid.
func (m *Manager) EndSubject(ctx context.Context, subject string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
	defer cancel()
	err := m.revokeSubject(ctx, subject)
	switch {
	case err == nil:
		return nil
	case !errors.Is(err, ErrUnavailable):
		return fmt.Errorf("ending sessions: %w", err)
	}
	var ids []uuid.UUID
	for _, e := range m.table.all() {
		if e.who.Load().Subject == subject {
			ids = append(ids, e.id)
		}
	}
	m.Announce(ctx, cache.Announcement{Sessions: ids, Subjects: []string{subject}})
	m.owe(debt{subject: subject})
	return fmt.Errorf("ending sessions: %w", err)
}

func (m *Manager) revokeSubject(ctx context.Context, subject string) error {
	ids, err := m.store.RevokeSubject(ctx, subject)
	m.heard(ctx, err)
	switch {
	case errors.Is(err, tokenstore.ErrNotFound):
	case !answered(err):
		return unavailable(err)
	case err != nil:
		return err
	}
	m.Announce(ctx, cache.Announcement{Sessions: ids, Subjects: []string{subject}})
	return nil
}

// signOut revokes a session's portal sign-in, or itself, in the store.
func (m *Manager) signOut(ctx context.Context, id uuid.UUID) error {
	root, err := m.root(ctx, id)
	if err != nil {
		return unavailable(err)
	}
	return m.endFrom(ctx, root, id)
}

// endFrom revokes root, with everything that came from it, and id, which did
// so, or is root itself.
func (m *Manager) endFrom(ctx context.Context, root, id uuid.UUID) error {
	ids, err := m.revoke(ctx, root)
	if err == nil && len(ids) == 0 {
		// It had ended before: perhaps by a call whose answer was lost, and
		// then nobody has been told of its children.
		ids, err = m.children(ctx, root)
	}
	if err != nil {
		return unavailable(err)
	}
	if root != id && !slices.Contains(ids, id) {
		// The sign-in had ended before. Its children ended with it, unless
		// the store lost that.
		more, err := m.revoke(ctx, id)
		if err != nil {
			return unavailable(err)
		}
		ids = append(ids, more...)
	}
	for _, own := range []uuid.UUID{root, id} {
		if !slices.Contains(ids, own) {
			ids = append(ids, own)
		}
	}
	m.Announce(ctx, cache.Announcement{Sessions: ids})
	return nil
}

// children are the sessions that came from one, ended or not.
func (m *Manager) children(ctx context.Context, root uuid.UUID) ([]uuid.UUID, error) {
	row, err := m.store.Session(ctx, root)
	if errors.Is(err, tokenstore.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var ids []uuid.UUID
	query := tokenstore.SessionQuery{Subject: row.Subject, All: true, Parent: root, Limit: childrenPage}
	for child, err := range tokenstore.EachSession(ctx, m.store, query) {
		if err != nil {
			return nil, err
		}
		ids = append(ids, child.ID)
	}
	return ids, nil
}

// root is the session to revoke for a sign-out of id.
func (m *Manager) root(ctx context.Context, id uuid.UUID) (uuid.UUID, error) {
	var parent uuid.UUID
	if e := m.table.get(&id); e != nil {
		parent = e.who.Load().Portal
	} else {
		row, err := m.store.Session(ctx, id)
		m.heard(ctx, err)
		if err != nil && !errors.Is(err, tokenstore.ErrNotFound) {
			return uuid.Nil, err
		}
		parent = row.Parent
	}
	if parent == uuid.Nil {
		return id, nil
	}
	return parent, nil
}

func (m *Manager) revoke(ctx context.Context, id uuid.UUID) ([]uuid.UUID, error) {
	ids, err := m.store.RevokeSession(ctx, id)
	m.heard(ctx, err)
	if errors.Is(err, tokenstore.ErrNotFound) {
		return nil, nil
	}
	return ids, err
}

// family are the sessions that this node knows to end with id, which is the
// last: of what is announced together the last is remembered longest.
func (m *Manager) family(id uuid.UUID) []uuid.UUID {
	root := id
	if e := m.table.get(&id); e != nil && e.who.Load().Portal != uuid.Nil {
		root = e.who.Load().Portal
	}
	var ids []uuid.UUID
	for _, e := range m.table.all() {
		if e.id != id && e.who.Load().Portal == root {
			ids = append(ids, e.id)
		}
	}
	if root != id {
		ids = append(ids, root)
	}
	return append(ids, id)
}
