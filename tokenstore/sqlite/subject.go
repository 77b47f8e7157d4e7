package sqlite

import (
	"context"
	"database/sql"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

const selectSubject = `SELECT id, created_at, suspended_at FROM subject WHERE id = ?`

func scanSubject(row scanner) (tokenstore.Subject, error) {
	var sub tokenstore.Subject
	var created, suspended sql.NullInt64
	err := row.Scan(&sub.ID, &created, &suspended)
	sub.CreatedAt, sub.SuspendedAt = instant(created), instant(suspended)
	return sub, err
}

// Subject returns one subject, or [tokenstore.ErrNotFound].
func (s *Store) Subject(ctx context.Context, id string) (tokenstore.Subject, error) {
	sub, err := s.subject(ctx, id)
	return sub, wrap("reading subject", err)
}

func (s *Store) subject(ctx context.Context, id string) (tokenstore.Subject, error) {
	if err := tokenstore.ValidateText("subject", id); err != nil {
		return tokenstore.Subject{}, err
	}
	q, err := s.read(ctx)
	if err != nil {
		return tokenstore.Subject{}, err
	}
	return one(ctx, q, scanSubject, selectSubject, id)
}

// Suspend suspends a subject, or lifts it; a subject that is suspended already
// keeps its time. [tokenstore.ErrNotFound].
func (s *Store) Suspend(ctx context.Context, subject string, suspended bool) error {
	if err := tokenstore.ValidateText("subject", subject); err != nil {
		return wrap("suspending subject", err)
	}
	return wrap("suspending subject", s.write(ctx, func(t *tx) error {
		var n int64
		var err error
		if suspended {
			n, err = t.exec(ctx, `UPDATE subject SET suspended_at = coalesce(suspended_at, ?) WHERE id = ?`,
				t.now.UnixMicro(), subject)
		} else {
			n, err = t.exec(ctx, `UPDATE subject SET suspended_at = NULL WHERE id = ?`, subject)
		}
		return found(n, err)
	}))
}

// found turns "no row changed" into ErrNotFound.
func found(n int64, err error) error {
	if err == nil && n == 0 {
		return tokenstore.ErrNotFound
	}
	return err
}
