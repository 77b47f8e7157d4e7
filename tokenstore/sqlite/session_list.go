package sqlite

import (
	"cmp"
	"context"
	"strings"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// ListSessions lists sessions, newest first.
func (s *Store) ListSessions(ctx context.Context, q tokenstore.SessionQuery) ([]tokenstore.Session, error) {
	list, err := s.listSessions(ctx, q)
	return list, wrap("listing sessions", err)
}

func (s *Store) listSessions(ctx context.Context, q tokenstore.SessionQuery) ([]tokenstore.Session, error) {
	if err := q.Validate(); err != nil {
		return nil, err
	}
	reader, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	now := s.now()
	var w where
	if q.Subject != "" {
		w.add("subject = ?", q.Subject)
	}
	if q.Parent != uuid.Nil {
		w.add("parent = ?", q.Parent[:])
	}
	if q.ClientID != "" {
		w.add("client_id = ?", q.ClientID)
	}
	if n := len(q.ProviderSession); n > 0 {
		hashes := make([]any, n)
		for i, hash := range q.ProviderSession {
			hashes[i] = hash
		}
		w.add("provider_session IN (?"+strings.Repeat(", ?", n-1)+")", hashes...)
	}
	if q.Before != uuid.Nil {
		w.add("id < ?", q.Before[:])
	}
	if !q.All {
		w.add(liveSession, now.UnixMicro(), now.UnixMicro())
	}
	rows, err := all(ctx, reader, scanSession(now),
		`SELECT `+sessionColumns+`, `+subjectSuspended+` FROM session`+w.clause()+` ORDER BY id DESC LIMIT ?`,
		append(w.args, cmp.Or(q.Limit, tokenstore.DefaultPage))...)
	if err != nil {
		return nil, err
	}
	list := make([]tokenstore.Session, len(rows))
	for i, row := range rows {
		list[i] = row.Session
	}
	return list, nil
}

// where collects the conditions of a query. A query has few combinations of
// them, so each is prepared once.
type where struct {
	conditions []string
	args       []any
}

func (w *where) add(condition string, args ...any) {
	w.conditions = append(w.conditions, condition)
	w.args = append(w.args, args...)
}

func (w *where) clause() string {
	if len(w.conditions) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.conditions, " AND ")
}
