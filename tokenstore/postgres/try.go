package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// repeatability says whether an operation may be done again when nobody knows
// whether it was done.
type repeatability bool

const (
	repeatable repeatability = true
	// once: done again, it would answer something else.
	once repeatability = false
)

// conflictTries is how often an operation is tried that the database aborted
// for a deadlock or a serialization failure.
const conflictTries = 3

// try does f, again if the connection was dead and that is safe: when nothing
// had been sent, or when f may be repeated. It bounds the time and translates
// the error.
func (s *Store) try(ctx context.Context, r repeatability, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	retried := false
	for tries := 1; ; tries++ {
		err := f(ctx)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
		case isConflict(err) && tries < conflictTries:
			continue
		case !retried && sqlState(err) == stateReadOnly: // nothing was done, and the connection is gone
			retried = true
			continue
		case !retried && isDead(err) && !isConnecting(err) && (bool(r) || pgconn.SafeToRetry(err)):
			retried = true
			continue
		}
		return translate(ctx, err)
	}
}

func isConflict(err error) bool {
	state := sqlState(err)
	return state == stateDeadlock || state == stateSerialization
}

// isConnecting reports whether no connection could be made, which a second
// attempt in the same moment would not change.
func isConnecting(err error) bool {
	var connecting *pgconn.ConnectError
	return errors.As(err, &connecting)
}

// tryLeaf does f with the statement. When a month that it names has no table,
// f is done with the partitioned table instead, where the answer is that there
// is no such session. Until a statement finds the table, its absence is
// remembered.
func (s *Store) tryLeaf(ctx context.Context, r repeatability, st statement, f func(context.Context, statement) error) error {
	return s.try(ctx, r, func(ctx context.Context) error {
		err := f(ctx, st)
		switch {
		case st.session == 0 && st.parent == 0:
		case sqlState(err) == stateUndefinedTable:
			s.absent.Store(st.session, true)
			err = f(ctx, statement{template: st.template})
		case err == nil || errors.Is(err, pgx.ErrNoRows):
			s.absent.Delete(st.session)
		}
		return err
	})
}

// inTx does f in a transaction, which is rolled back when f fails.
func (s *Store) inTx(ctx context.Context, f func(ctx context.Context, tx pgx.Tx) error) error {
	return s.try(ctx, once, func(ctx context.Context) error {
		return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error { return f(ctx, tx) })
	})
}

// querier is a pool, a connection or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

// one reads the one row of a query; pgx.ErrNoRows if there is none.
func one[T any](ctx context.Context, q querier, scan pgx.RowToFunc[T], sql string, args ...any) (T, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		var zero T
		return zero, err
	}
	return pgx.CollectOneRow(rows, scan)
}

// all reads all rows of a query.
func all[T any](ctx context.Context, q querier, scan pgx.RowToFunc[T], sql string, args ...any) ([]T, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scan)
}

// affected fails with none when a statement changed no row.
func affected(tag pgconn.CommandTag, err error, none error) error {
	if err == nil && tag.RowsAffected() == 0 {
		return none
	}
	return err
}

// readBatch reads the answer to one statement of a batch.
func readBatch[T any](results pgx.BatchResults, scan pgx.RowToFunc[T]) ([]T, error) {
	rows, err := results.Query()
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scan)
}

// closeBatch ends a batch, whose transaction commits with it.
func closeBatch(results pgx.BatchResults, err error) error {
	if closing := results.Close(); err == nil && closing != nil {
		return fmt.Errorf("ending batch: %w", closing)
	}
	return err
}
