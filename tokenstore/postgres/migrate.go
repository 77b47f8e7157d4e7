package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

//go:embed migrations/*.sql
var migrations embed.FS

const (
	// schemaVersion is the version that this binary was built for: that of
	// the last file in migrations.
	schemaVersion = 4
	// versionTable is goose's, under a name of ours, because the database may
	// be shared.
	versionTable = "gatehouse_version"
)

// Advisory locks, which are the database's: their keys are the ASCII letters
// "gatehous" and a number.
const (
	migrationLock int64 = 0x67617465_686f7501 + iota
	maintenanceLock
	signingKeyLock
)

// Migrate brings the schema up to date and makes the months that sessions need
// now. A database that a newer Gatehouse migrated is left alone: it can be
// used as long as its schema's compatible_from is not above this binary's
// version, else the answer is [tokenstore.ErrSchemaTooNew].
func (s *Store) Migrate(ctx context.Context) error {
	return wrap("migrating token store", s.migrate(ctx))
}

func (s *Store) migrate(ctx context.Context) error {
	version, compatibleFrom, err := readSchema(ctx, s.pool)
	if err != nil {
		return translate(ctx, err)
	}
	if version < schemaVersion {
		if err := s.migrateUp(ctx); err != nil {
			return translate(ctx, err)
		}
	} else if err := judgeSchema(version, compatibleFrom); err != nil {
		return err
	}
	_, err = s.makeFirstMonths(ctx)
	return err
}

// migratePatience is how long a migration is tried that waits for somebody else's
// transaction, and migratePause how long nothing is asked for between two tries.
const (
	migratePatience = 5 * time.Minute
	migratePause    = 500 * time.Millisecond
)

// migrateUp runs the migrations that are missing, one node at a time: the
// others wait for the lock and then find nothing to do. A statement that waits for a
// table gives up soon, and is tried again: whoever wants that table waits behind it, and
// that is every node that is running.
func (s *Store) migrateUp(ctx context.Context) error {
	for end := time.Now().Add(migratePatience); ; {
		err := s.migrateOnce(ctx)
		if sqlState(err) != stateLockNotAvailable || time.Now().After(end) {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(migratePause):
		}
	}
}

func (s *Store) migrateOnce(ctx context.Context) (err error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockID(migrationLock), lock.WithLockTimeout(1, 300))
	if err != nil {
		return err
	}
	db := stdlib.OpenDB(*s.pool.Config().ConnConfig, stdlib.OptionAfterConnect(func(ctx context.Context, conn *pgx.Conn) error {
		return setLockTimeoutOf(ctx, conn, s.lockTimeout)
	}))
	defer func() { err = errors.Join(err, db.Close()) }()
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithTableName(versionTable), goose.WithSessionLocker(locker), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}

// checkSchema reports whether this binary can use the schema as it is.
func checkSchema(ctx context.Context, q querier) error {
	version, compatibleFrom, err := readSchema(ctx, q)
	if err != nil {
		return err
	}
	return judgeSchema(version, compatibleFrom)
}

func judgeSchema(version, compatibleFrom int64) error {
	switch {
	case version < schemaVersion:
		return fmt.Errorf("schema version is %d, want %d: %w", version, schemaVersion, tokenstore.ErrUnavailable)
	case compatibleFrom > schemaVersion:
		return fmt.Errorf("schema version %d needs at least a Gatehouse of schema version %d, this is %d: %w",
			version, compatibleFrom, schemaVersion, tokenstore.ErrSchemaTooNew)
	}
	return nil
}

const selectSchema = `
	SELECT (SELECT max(version_id) FROM ` + versionTable + ` WHERE is_applied),
		(SELECT compatible_from FROM compatibility)`

// readSchema returns the version of the schema, 0 for none, and the oldest
// version that can use it.
func readSchema(ctx context.Context, q querier) (version, compatibleFrom int64, err error) {
	var found, from sql.NullInt64
	err = q.QueryRow(ctx, selectSchema, pgx.QueryExecModeExec).Scan(&found, &from)
	if sqlState(err) == stateUndefinedTable {
		return 0, 0, nil
	}
	return found.Int64, from.Int64, err
}
