package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"sync"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// querier runs a prepared query, on a reader or within a write.
type querier interface {
	query(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// reader is a pool of connections that only read. In WAL mode each query sees
// what was committed before it began.
type reader struct {
	db         *sql.DB
	mu         sync.Mutex
	statements map[string]*sql.Stmt
}

func newReader(db *sql.DB) *reader {
	return &reader{db: db, statements: make(map[string]*sql.Stmt)}
}

func (r *reader) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	st, err := r.prepared(ctx, query)
	if err != nil {
		return nil, err
	}
	return st.QueryContext(ctx, args...)
}

// prepared returns the statement for a query, which is prepared once.
func (r *reader) prepared(ctx context.Context, query string) (*sql.Stmt, error) {
	r.mu.Lock()
	st, ok := r.statements[query]
	r.mu.Unlock()
	if ok {
		return st, nil
	}
	st, err := r.db.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if other, ok := r.statements[query]; ok {
		return other, st.Close()
	}
	r.statements[query] = st
	return st, nil
}

func (r *reader) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var errs []error
	for _, st := range r.statements {
		errs = append(errs, st.Close())
	}
	clear(r.statements)
	return errors.Join(append(errs, r.db.Close())...)
}

// read returns the connections to read from once the schema is usable.
func (s *Store) read(ctx context.Context) (querier, error) {
	if err := s.checkSchema(ctx); err != nil {
		return nil, err
	}
	return s.reader, nil
}

// scanner is the current row.
type scanner interface {
	Scan(dest ...any) error
}

// all runs a query and returns its rows. It steps to the end, since a
// statement that writes is committed only there.
func all[T any](ctx context.Context, q querier, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return list, rows.Close()
}

// one is [all] for a query of at most one row; without one it answers
// ErrNotFound.
func one[T any](ctx context.Context, q querier, scan func(scanner) (T, error), query string, args ...any) (T, error) {
	list, err := all(ctx, q, scan, query, args...)
	if err != nil || len(list) == 0 {
		var zero T
		if err == nil {
			err = tokenstore.ErrNotFound
		}
		return zero, err
	}
	return list[0], nil
}

// scanOne scans a row of one column.
func scanOne[T any](row scanner) (T, error) {
	var v T
	err := row.Scan(&v)
	return v, err
}
