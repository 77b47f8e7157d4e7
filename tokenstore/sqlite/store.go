package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// Options of a store. The zero value is good for production.
type Options struct {
	// Now is the process's clock, by which the store judges what has expired.
	// Default: [time.Now]. Tests shift it.
	Now func() time.Time
	// Readers is the greatest number of connections that read at a time.
	// Default: 4.
	Readers int
}

const defaultReaders = 4

// Store is a [tokenstore.Store] in one SQLite file. Make one with [Open].
type Store struct {
	path   string
	clock  func() time.Time
	writer *writer
	reader *reader

	migrating   sync.Mutex
	maintaining sync.Mutex
	usable      atomic.Bool // the schema was found usable
}

// Open opens the SQLite file at path, a path of the file system, and creates
// it when it is missing: it and the two files that SQLite puts beside it have
// mode 0600, folders that are missing 0700. The schema is left alone until
// [Store.Migrate]; until some Gatehouse has migrated the file, every other
// method answers [tokenstore.ErrUnavailable].
//
// Several stores, in this process or others of the same machine, may have the
// file open. It must not be on a network file system.
func Open(path string, o Options) (*Store, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Readers <= 0 {
		o.Readers = defaultReaders
	}
	abs, err := filepath.Abs(path)
	if err != nil || path == "" || path == ":memory:" {
		return nil, fmt.Errorf("opening token store %q: not the path of a file: %w", path, errors.Join(tokenstore.ErrInvalid, err))
	}
	if err := createPrivate(abs); err != nil {
		return nil, fmt.Errorf("opening token store %s: %w", abs, err)
	}
	writeDB, err := openChecked(abs, false, 1)
	if err != nil {
		return nil, err
	}
	readDB, err := openChecked(abs, true, o.Readers)
	if err != nil {
		return nil, errors.Join(err, writeDB.Close())
	}
	return &Store{
		path:   abs,
		clock:  o.Now,
		writer: newWriter(writeDB),
		reader: newReader(readDB),
	}, nil
}

// openChecked opens a pool of connections, and fails unless SQLite took the
// settings that durability depends on.
func openChecked(path string, readOnly bool, limit int) (*sql.DB, error) {
	db, err := sql.Open("sqlite", dsn(path, readOnly))
	if err != nil {
		return nil, fmt.Errorf("opening token store %s: %w", path, err)
	}
	db.SetMaxOpenConns(limit)
	db.SetMaxIdleConns(limit)
	if err := checkPragmas(db, readOnly); err != nil {
		return nil, errors.Join(fmt.Errorf("opening token store %s: %w", path, err), db.Close())
	}
	return db, nil
}

// now is the store's clock: UTC, in whole microseconds, as it is stored.
func (s *Store) now() time.Time { return s.clock().UTC().Truncate(time.Microsecond) }

// Ping reports whether the store can be used now: it reads the schema's version
// from the file. It waits for no writer.
func (s *Store) Ping(ctx context.Context) error {
	s.usable.Store(false)
	return wrap("pinging token store", s.checkSchema(ctx))
}

// Close releases the store's connections. Methods called afterwards answer
// [tokenstore.ErrUnavailable].
func (s *Store) Close() error {
	s.usable.Store(false)
	if err := errors.Join(s.reader.close(), s.writer.close()); err != nil {
		return fmt.Errorf("closing token store: %w", err)
	}
	return nil
}

// Interface guard.
var _ tokenstore.Store = (*Store)(nil)
