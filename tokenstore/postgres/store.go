package postgres

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// Defaults of [Options].
const (
	DefaultConnectTimeout = 2 * time.Second
	DefaultTimeout        = 5 * time.Second
	DefaultLockTimeout    = time.Second
)

// Options of a store. Only the URL is required.
type Options struct {
	// URL is the database's address, as a postgres:// URL or a keyword/value
	// string. pool_max_conns (by default at least 16) and the other settings of
	// pgxpool may be in it.
	// With several hosts, target_session_attrs=read-write finds the primary.
	// A PgBouncer in between must pool sessions (pool_mode=session): prepared
	// statements, the isolation that is set for a connection and the lock of
	// maintenance are the connection's.
	URL string
	// ConnectTimeout bounds one attempt to connect. Default: that of the URL,
	// else DefaultConnectTimeout.
	ConnectTimeout time.Duration
	// Timeout bounds each operation, beside the caller's context, so that a
	// database that accepts and never answers is ErrUnavailable too; Migrate
	// and Maintain are not bounded. Default: DefaultTimeout.
	Timeout time.Duration
	// LockTimeout is how long maintenance waits for a lock before it leaves a
	// step to its next round. Nobody waits longer than that for maintenance.
	// Default: DefaultLockTimeout.
	LockTimeout time.Duration
	// Tracer sees every statement, batch and connection. Default: none.
	Tracer pgx.QueryTracer
	// ClockOffset shifts the store's clock, for tests alone: nil, as in
	// production, leaves no trace in the statements. It may return another
	// offset each time.
	ClockOffset func() time.Duration
}

// Store is a [tokenstore.Store] in PostgreSQL. Make one with [Open].
type Store struct {
	pool        *pgxpool.Pool
	timeout     time.Duration
	lockTimeout time.Duration
	clockOffset func() time.Duration
	statements  sync.Map // statement → its text
	rotations   rotations
	absent      sync.Map // set of the months that had no table when last looked for
}

// Open makes a store. It does not connect: an unreachable database is
// [tokenstore.ErrUnavailable] when the store is used, and is tried again with
// each use. A URL that cannot be parsed is an error, which does not quote it.
func Open(ctx context.Context, o Options) (*Store, error) {
	config, err := o.poolConfig()
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("opening token store: %w", err)
	}
	s := &Store{pool: pool, timeout: o.Timeout, lockTimeout: o.LockTimeout, clockOffset: o.ClockOffset}
	if s.timeout <= 0 {
		s.timeout = DefaultTimeout
	}
	if s.lockTimeout <= 0 {
		s.lockTimeout = DefaultLockTimeout
	}
	return s, nil
}

// defaultMaxConns is how many connections a node opens at most, unless
// pool_max_conns says otherwise.
const defaultMaxConns = 16

func (o Options) poolConfig() (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(o.URL)
	if err != nil {
		return nil, fmt.Errorf("opening token store: parsing its address: %w", redacted(err))
	}
	mode := config.ConnConfig.DefaultQueryExecMode
	if mode == pgx.QueryExecModeExec || mode == pgx.QueryExecModeSimpleProtocol {
		return nil, fmt.Errorf("opening token store: default_query_exec_mode cannot be %v: "+
			"the types of a statement's arguments must be asked for", mode)
	}
	switch {
	case o.ConnectTimeout > 0:
		config.ConnConfig.ConnectTimeout = o.ConnectTimeout
	case config.ConnConfig.ConnectTimeout == 0:
		config.ConnConfig.ConnectTimeout = DefaultConnectTimeout
	}
	// pgxpool's own default is as few as four. A rotation is short work that
	// waits for the disk, and the server writes many waiting commits at once.
	if !strings.Contains(o.URL, "pool_max_conns") {
		config.MaxConns = max(defaultMaxConns, config.MaxConns)
	}
	config.ConnConfig.Tracer = o.Tracer
	// No round trip to find out whether an idle connection is alive: the
	// kernel knows whether the server has closed it.
	config.ShouldPing = func(_ context.Context, p pgxpool.ShouldPingParams) bool {
		return hasInput(p.Conn.PgConn().Conn())
	}
	config.PingTimeout = time.Second
	config.ConnConfig.OnPgError = keeps
	config.ConnConfig.AfterConnect = setUp(config.ConnConfig.ConnectTimeout)
	config.AfterConnect = func(_ context.Context, conn *pgx.Conn) error {
		conn.TypeMap().RegisterType(&pgtype.Type{
			Name: "timestamptz", OID: pgtype.TimestamptzOID,
			Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC},
		})
		return nil
	}
	return config, nil
}

// readCommitted is what the store's statements are written for, whatever the
// server, the database or the role gives to those who do not ask: the second
// statement of a revocation must see the child that the first waited for.
const readCommitted = `SET default_transaction_isolation = 'read committed'`

// setUp sets up each connection, those of maintenance and migration too. That
// takes a round trip: PgBouncer refuses a connection that sends the setting
// when it starts.
func setUp(timeout time.Duration) pgconn.AfterConnectFunc {
	return func(ctx context.Context, conn *pgconn.PgConn) error {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		return conn.Exec(ctx, readCommitted).Close()
	}
}

// Ping reports whether the store can be used now: the database answers, and its
// schema is one that this version can use.
func (s *Store) Ping(ctx context.Context) error {
	return wrap("pinging token store", s.try(ctx, repeatable, func(ctx context.Context) error {
		return checkSchema(ctx, s.pool)
	}))
}

// Close releases the store's connections; it waits for those in use. Methods
// called afterwards answer [tokenstore.ErrUnavailable].
func (s *Store) Close() error {
	s.pool.Close()
	return nil
}

// Interface guard.
var _ tokenstore.Store = (*Store)(nil)
