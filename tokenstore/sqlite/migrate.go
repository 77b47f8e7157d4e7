package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

//go:embed migrations/*.sql
var migrations embed.FS

// schemaVersion is the version that this binary was built for: that of the
// last file in migrations.
const schemaVersion = 4

// migrationTries is how often a migration is tried while another process
// migrates the same file.
const migrationTries = 5

// Migrate brings the schema up to date. A file that a newer Gatehouse migrated
// is left alone: it can be used as long as its schema's compatible_from is not
// above this binary's version, else the answer is
// [tokenstore.ErrSchemaTooNew].
func (s *Store) Migrate(ctx context.Context) error {
	s.migrating.Lock()
	defer s.migrating.Unlock()
	if err := s.migrate(ctx); err != nil {
		return wrap("migrating token store", err)
	}
	return nil
}

func (s *Store) migrate(ctx context.Context) error {
	s.usable.Store(false)
	var err error
	for range migrationTries {
		// An up-to-date or newer schema needs nothing; one that cannot be used
		// but by a newer binary must not be touched.
		check := s.checkSchema(ctx)
		if check == nil || errors.Is(check, tokenstore.ErrSchemaTooNew) {
			return check
		}
		if ctxErr := ctx.Err(); ctxErr != nil {
			return errors.Join(err, ctxErr)
		}
		// Each migration is a transaction. When another process is at the same
		// one, ours waits, fails, and finds it done the next time round.
		if err = s.runMigrations(ctx); err == nil {
			return s.checkSchema(ctx)
		}
	}
	return err
}

func (s *Store) runMigrations(ctx context.Context) error {
	if err := s.reader.db.PingContext(ctx); err != nil {
		return err // closed, or out of reach
	}
	db, err := openChecked(s.path, false, 1)
	if err != nil {
		return err
	}
	defer db.Close()
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}

// checkSchema reports whether this binary can use the schema, and remembers when
// it can.
func (s *Store) checkSchema(ctx context.Context) error {
	if s.usable.Load() {
		return nil
	}
	version, compatibleFrom, err := s.readSchema(ctx)
	switch {
	case err != nil:
		return err
	case version < schemaVersion:
		return fmt.Errorf("schema version is %d, want %d: %w", version, schemaVersion, tokenstore.ErrUnavailable)
	case compatibleFrom > schemaVersion:
		return fmt.Errorf("schema version %d needs at least a Gatehouse of schema version %d, this is %d: %w",
			version, compatibleFrom, schemaVersion, tokenstore.ErrSchemaTooNew)
	}
	s.usable.Store(true)
	return nil
}

// readSchema returns the version of the schema, 0 for none, and the oldest
// version that can use it.
func (s *Store) readSchema(ctx context.Context) (version, compatibleFrom int64, err error) {
	var tables int
	err = s.reader.db.QueryRowContext(ctx, `
		SELECT count(*) FROM sqlite_schema
		WHERE type = 'table' AND name IN ('goose_db_version', 'compatibility')`).Scan(&tables)
	if err != nil || tables < 2 {
		return 0, 0, err
	}
	var found sql.NullInt64
	err = s.reader.db.QueryRowContext(ctx, `
		SELECT (SELECT max(version_id) FROM goose_db_version WHERE is_applied),
			(SELECT compatible_from FROM compatibility)`).Scan(&found, &compatibleFrom)
	return found.Int64, compatibleFrom, err
}
