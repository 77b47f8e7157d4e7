package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype/zeronull"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

const selectSubject = `SELECT id, created_at, suspended_at FROM subject WHERE id = $1`

func scanSubject(row pgx.CollectableRow) (tokenstore.Subject, error) {
	var sub tokenstore.Subject
	err := row.Scan(&sub.ID, &sub.CreatedAt, (*zeronull.Timestamptz)(&sub.SuspendedAt))
	return sub, err
}

// Subject returns one subject, or [tokenstore.ErrNotFound].
func (s *Store) Subject(ctx context.Context, id string) (tokenstore.Subject, error) {
	if err := tokenstore.ValidateText("subject", id); err != nil {
		return tokenstore.Subject{}, wrap("reading subject", err)
	}
	sub, err := s.readSubject(ctx, selectSubject, id)
	return sub, wrap("reading subject", err)
}

func (s *Store) readSubject(ctx context.Context, query string, args ...any) (tokenstore.Subject, error) {
	var sub tokenstore.Subject
	err := s.try(ctx, repeatable, func(ctx context.Context) error {
		var err error
		sub, err = one(ctx, s.pool, scanSubject, query, args...)
		return err
	})
	return sub, err
}

const (
	suspendSubject = `UPDATE subject SET suspended_at = coalesce(suspended_at, {now}) WHERE id = $1`
	resumeSubject  = `UPDATE subject SET suspended_at = NULL WHERE id = $1`
)

// Suspend suspends a subject, or lifts it; a subject that is suspended already
// keeps its time. [tokenstore.ErrNotFound].
func (s *Store) Suspend(ctx context.Context, subject string, suspended bool) error {
	if err := tokenstore.ValidateText("subject", subject); err != nil {
		return wrap("suspending subject", err)
	}
	template := resumeSubject
	if suspended {
		template = suspendSubject
	}
	return wrap("suspending subject", s.try(ctx, repeatable, func(ctx context.Context) error {
		tag, err := s.pool.Exec(ctx, s.plain(template), subject)
		return affected(tag, err, tokenstore.ErrNotFound)
	}))
}
