package session

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/flows/handle"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// ConfirmEnd makes true what somebody is about to be told whose session this
// node refuses: that they are signed out. The sign-out may have been said to a
// node that died before it told the others; or have come while the token store
// was down, so that the sessions which that node knew are refused, the store
// knows nothing, and others that came from the same sign-in go on. Whatever is
// known to have ended, here or in the store, is revoked with everything that
// came from it, and announced again.
//
// A node does so once for each session: who keeps an old handle costs no I/O.
//
// Nothing that is live ends: a session that was revoked by itself leaves the
// sign-in that it came from. What is unknown, or has only expired, is no error.
// It does not stop when ctx ends. Error: [ErrUnavailable], and then nobody may
// be told.
func (m *Manager) ConfirmEnd(ctx context.Context, h handle.Handle) error {
	if m.confirmed(h.ID) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
	defer cancel()
	root, unstored, err := m.endedFrom(ctx, h)
	switch {
	case err != nil || root == uuid.Nil:
	case unstored:
		// SignOut got no further than this node: of what it ends, this is the last.
		err = m.signOutAll(ctx, h.ID)
	default:
		err = m.endFrom(ctx, root, h.ID)
	}
	if err != nil {
		return fmt.Errorf("confirming a sign-out: %w", unavailable(err))
	}
	if root != uuid.Nil {
		m.mu.Lock()
		m.endings.confirm(h.ID)
		m.mu.Unlock()
	}
	return nil
}

func (m *Manager) confirmed(id uuid.UUID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.endings.tombs[id].confirmed
}

// endedFrom is the sign-in that a handle's session came from, if that has ended,
// or the session itself, if only that has; uuid.Nil if neither. unstored tells of
// a sign-in that the store does not know of its end.
func (m *Manager) endedFrom(ctx context.Context, h handle.Handle) (root uuid.UUID, unstored bool, err error) {
	row, ended, err := m.revokedRow(ctx, h.ID)
	if err != nil || subtle.ConstantTimeCompare(row.SecretHash, h.SecretHash()) != 1 {
		return uuid.Nil, false, err
	}
	if row.Parent == uuid.Nil {
		if ended {
			return row.ID, row.RevokedAt.IsZero(), nil
		}
		return uuid.Nil, false, nil
	}
	signIn, signedOut, err := m.revokedRow(ctx, row.Parent)
	switch {
	case err != nil || signedOut:
		return row.Parent, signIn.RevokedAt.IsZero(), err
	case ended:
		return row.ID, false, nil
	}
	return uuid.Nil, false, nil
}

// revokedRow is a session's row, a zero one if there is none, and whether it has
// been revoked: in the store, or so far only by announcement.
func (m *Manager) revokedRow(ctx context.Context, id uuid.UUID) (tokenstore.Session, bool, error) {
	row, err := m.store.Session(ctx, id)
	m.heard(ctx, err)
	if errors.Is(err, tokenstore.ErrNotFound) {
		return tokenstore.Session{}, false, nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return row, !row.RevokedAt.IsZero() || m.endings.tombs[id].why == revoked, err
}
