package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"time"
)

// writer is the one connection that writes. Who holds the turn has it alone,
// so that the store's clock can be read after the wait and before the write.
type writer struct {
	db   *sql.DB
	turn chan struct{}
	// These belong to the holder of the turn.
	conn       *sql.Conn
	statements map[string]*sql.Stmt
}

func newWriter(db *sql.DB) *writer {
	return &writer{db: db, turn: make(chan struct{}, 1), statements: make(map[string]*sql.Stmt)}
}

// acquire waits for the turn and for the connection; release gives it back.
func (w *writer) acquire(ctx context.Context) error {
	select {
	case w.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := ctx.Err(); err != nil {
		w.release()
		return err
	}
	if w.conn != nil {
		return nil
	}
	conn, err := w.db.Conn(ctx)
	if err != nil {
		w.release()
		return err
	}
	w.conn = conn
	return nil
}

func (w *writer) release() { <-w.turn }

// prepared returns the statement for a query, which is prepared once.
func (w *writer) prepared(ctx context.Context, query string) (*sql.Stmt, error) {
	if st, ok := w.statements[query]; ok {
		return st, nil
	}
	// The statement outlives this call's context.
	st, err := w.conn.PrepareContext(context.WithoutCancel(ctx), query)
	if err != nil {
		return nil, w.noticeBroken(err)
	}
	w.statements[query] = st
	return st, nil
}

// noticeBroken drops a connection that database/sql gave up, so that the next
// write gets another.
func (w *writer) noticeBroken(err error) error {
	if w.conn != nil && (errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone)) {
		_ = w.drop() // the connection is broken already
	}
	return err
}

func (w *writer) drop() error {
	var errs []error
	for _, st := range w.statements {
		errs = append(errs, st.Close())
	}
	clear(w.statements)
	errs = append(errs, w.conn.Close())
	w.conn = nil
	return errors.Join(errs...)
}

func (w *writer) close() error {
	w.turn <- struct{}{}
	defer w.release()
	var err error
	if w.conn != nil {
		err = w.drop()
	}
	return errors.Join(err, w.db.Close())
}

// tx is the writer's connection while somebody has the turn; now is the
// store's clock since then.
type tx struct {
	w   *writer
	now time.Time
}

func (t *tx) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	st, err := t.w.prepared(ctx, query)
	if err != nil {
		return nil, err
	}
	rows, err := st.QueryContext(ctx, args...)
	return rows, t.w.noticeBroken(err)
}

// exec runs a statement and returns how many rows it changed.
func (t *tx) exec(ctx context.Context, query string, args ...any) (int64, error) {
	st, err := t.w.prepared(ctx, query)
	if err != nil {
		return 0, err
	}
	result, err := st.ExecContext(ctx, args...)
	if err != nil {
		return 0, t.w.noticeBroken(err)
	}
	return result.RowsAffected()
}

// single gives f the writer's connection without a transaction: the one
// statement that f runs is a transaction of its own.
func (s *Store) single(ctx context.Context, f func(*tx) error) error {
	if err := s.checkSchema(ctx); err != nil {
		return err
	}
	if err := s.writer.acquire(ctx); err != nil {
		return err
	}
	defer s.writer.release()
	return f(&tx{w: s.writer, now: s.now()})
}

// write runs f in one transaction, which has the write lock from its start.
// It commits unless f fails.
func (s *Store) write(ctx context.Context, f func(*tx) error) error {
	return s.single(ctx, func(t *tx) error {
		// The connection must leave the transaction, whatever becomes of the
		// caller.
		end := context.WithoutCancel(ctx)
		_, err := t.exec(ctx, "BEGIN IMMEDIATE")
		if err == nil {
			// Another process may have held the lock for a while.
			t.now = s.now()
			err = f(t)
		}
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			_, err = t.exec(end, "COMMIT")
		}
		if err != nil && t.w.conn != nil {
			// Also where BEGIN failed: of a caller who goes just as it is done, the
			// driver says that it was not. It fails when there is no transaction, or
			// SQLite has rolled back already.
			_, _ = t.exec(end, "ROLLBACK")
		}
		return err
	})
}
