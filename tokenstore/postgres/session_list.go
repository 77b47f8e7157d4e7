package postgres

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

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
	w := sessionConditions(q)
	query := `SELECT ` + sessionColumns + `, ` + suspendedSession + `, {now} FROM session s` + w.clause() +
		` ORDER BY s.id DESC LIMIT ` + w.placeholder(cmp.Or(q.Limit, tokenstore.DefaultPage))
	var rows []storedSession
	err := s.try(ctx, repeatable, func(ctx context.Context) error {
		var err error
		rows, err = all(ctx, s.pool, scanSession, s.plain(query), append([]any{pgx.QueryExecModeCacheDescribe}, w.args...)...)
		return err
	})
	if err != nil {
		return nil, err
	}
	list := make([]tokenstore.Session, len(rows))
	for i, row := range rows {
		list[i] = row.Session
	}
	return list, nil
}

func sessionConditions(q tokenstore.SessionQuery) *where {
	var w where
	if q.Subject != "" {
		w.add("s.sub = %s", q.Subject)
	}
	if q.Parent != uuid.Nil {
		w.add("s.parent = %s", [16]byte(q.Parent))
	}
	if q.ClientID != "" {
		w.add("s.client_id = %s", q.ClientID)
	}
	if len(q.ProviderSession) > 0 {
		w.add("s.provider_session = ANY (%s)", q.ProviderSession)
	}
	if q.Before != uuid.Nil {
		w.add("s.id < %s", [16]byte(q.Before))
	}
	if !q.All {
		w.add(liveSession)
	}
	return &w
}

// where collects the conditions of a query. A query has few combinations of
// them, so each is described once.
type where struct {
	conditions []string
	args       []any
}

// add adds a condition, in which each %s is the next argument.
func (w *where) add(condition string, args ...any) {
	placeholders := make([]any, len(args))
	for i, arg := range args {
		placeholders[i] = w.placeholder(arg)
	}
	if len(args) > 0 {
		condition = fmt.Sprintf(condition, placeholders...)
	}
	w.conditions = append(w.conditions, condition)
}

// placeholder adds an argument and returns what stands for it.
func (w *where) placeholder(arg any) string {
	w.args = append(w.args, arg)
	return fmt.Sprintf("$%d", len(w.args))
}

func (w *where) clause() string {
	if len(w.conditions) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.conditions, " AND ")
}
