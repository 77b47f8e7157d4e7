package tokenstore

import (
	"cmp"
	"context"
	"iter"
)

// SessionLister lists sessions, as [Sessions] does.
type SessionLister interface {
	ListSessions(ctx context.Context, q SessionQuery) ([]Session, error)
}

// EachSession goes through all sessions that a query selects, newest first, in pages of
// q.Limit, or of DefaultPage. It ends with the first error, which comes without a session.
func EachSession(ctx context.Context, from SessionLister, q SessionQuery) iter.Seq2[Session, error] {
	q.Limit = cmp.Or(q.Limit, DefaultPage)
	return func(yield func(Session, error) bool) {
		for {
			rows, err := from.ListSessions(ctx, q)
			if err != nil {
				yield(Session{}, err)
				return
			}
			for _, row := range rows {
				q.Before = row.ID
				if !yield(row, nil) {
					return
				}
			}
			if len(rows) < q.Limit {
				return
			}
		}
	}
}
