package session

import (
	"context"
	"iter"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// IsOffline reports whether a session is one of offline access, which outlives the
// sign-in that it was obtained with (OpenID Connect Core, section 11).
func IsOffline(row tokenstore.Session) bool {
	return row.Parent == uuid.Nil && slices.Contains(strings.Fields(row.Scope), "offline_access")
}

// each is [tokenstore.EachSession]. Whether the store answers is noted. Error:
// [ErrUnavailable].
func (m *Manager) each(ctx context.Context, q tokenstore.SessionQuery) iter.Seq2[tokenstore.Session, error] {
	return tokenstore.EachSession(ctx, noting{m}, q)
}

// noting lists sessions and notes whether the store answers.
type noting struct{ manager *Manager }

// ListSessions implements [tokenstore.SessionLister].
func (n noting) ListSessions(ctx context.Context, q tokenstore.SessionQuery) ([]tokenstore.Session, error) {
	rows, err := n.manager.store.ListSessions(ctx, q)
	n.manager.heard(ctx, err)
	if err != nil {
		return nil, unavailable(err)
	}
	return rows, nil
}
