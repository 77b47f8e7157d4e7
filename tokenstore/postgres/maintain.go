package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// monthsAhead is how many months after the current one are kept ready.
const monthsAhead = 3

// shortestKept is how long a month is kept at least after its end: a sign-in
// that began in it may complete in the next one, on a node whose clock differs.
const shortestKept = 24 * time.Hour

// purgeBatch is how many rows one statement deletes, so that nobody waits long
// for a purge.
const purgeBatch = 1000

const rememberLifetime = `
	INSERT INTO memory AS m (name, value) VALUES ('longest_lifetime', $1)
	ON CONFLICT (name) DO UPDATE SET value = greatest(m.value, excluded.value)
	RETURNING value`

// purges delete what has expired, a batch at a time.
var purges = []string{
	`DELETE FROM provider_token WHERE ctid = ANY (ARRAY(
		SELECT ctid FROM provider_token WHERE refresh_expires_at <= {now} LIMIT $1 FOR UPDATE SKIP LOCKED))`,
	`DELETE FROM revoked_token WHERE ctid = ANY (ARRAY(
		SELECT ctid FROM revoked_token WHERE until <= {now} LIMIT $1 FOR UPDATE SKIP LOCKED))`,
	`DELETE FROM outbox WHERE ctid = ANY (ARRAY(
		SELECT ctid FROM outbox WHERE not_by <= {now} LIMIT $1 FOR UPDATE SKIP LOCKED))`,
}

// Maintain makes the months that sessions will need, removes those whose
// sessions have all ended, and deletes what has expired. The first fault does
// not keep the other steps from being done. A step that would have to wait for
// a lock beyond [Options.LockTimeout] is left to the next round.
func (s *Store) Maintain(ctx context.Context, longestLifetime time.Duration) (tokenstore.MaintenanceReport, error) {
	var report tokenstore.MaintenanceReport
	err := s.withMaintenance(ctx, func(m *maintenance) error {
		m.report = &report
		return m.run(ctx, longestLifetime)
	})
	if errors.Is(err, errMaintained) {
		report.Skipped = true
		report.MonthsAhead, err = s.countMonthsAhead(ctx)
	}
	return report, wrap("maintaining token store", translate(ctx, err))
}

// maintenance is one round, on a connection of its own that holds the lock.
type maintenance struct {
	store  *Store
	conn   *pgx.Conn
	report *tokenstore.MaintenanceReport

	now     time.Time
	longest time.Duration // lifetime ever configured
}

// errMaintained: another node is at it.
var errMaintained = errors.New("another node maintains the store")

// withMaintenance does f while no other node does maintenance. It has a
// connection of its own, so that whatever happens the settings and the lock
// end with it.
func (s *Store) withMaintenance(ctx context.Context, f func(*maintenance) error) error {
	conn, err := pgx.ConnectConfig(ctx, s.pool.Config().ConnConfig)
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(closing)
	}()
	if err := checkSchema(ctx, conn); err != nil {
		return err
	}
	var locked bool
	if err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1)`, maintenanceLock).Scan(&locked); err != nil {
		return err
	}
	if !locked {
		return errMaintained
	}
	if err := setLockTimeoutOf(ctx, conn, s.lockTimeout); err != nil {
		return err
	}
	err = f(&maintenance{store: s, conn: conn, report: &tokenstore.MaintenanceReport{}})
	// The server notices the end of a connection some time later only. A server
	// that no longer answers lets go of the lock by itself.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.timeout)
	defer cancel()
	_, unlocking := conn.Exec(ctx, `SELECT pg_advisory_unlock($1)`, maintenanceLock)
	return errors.Join(err, unlocking)
}

// setLockTimeoutOf has the statements of a connection give up who wait for a table.
func setLockTimeoutOf(ctx context.Context, conn *pgx.Conn, d time.Duration) error {
	_, err := conn.Exec(ctx, fmt.Sprintf(`SET lock_timeout = %d`, d.Milliseconds()))
	return err
}

func (m *maintenance) run(ctx context.Context, longest time.Duration) error {
	if err := m.begin(ctx, longest); err != nil {
		return err
	}
	err := m.makeMonths(ctx)
	err = errors.Join(err, m.removeMonths(ctx))
	return errors.Join(err, m.purge(ctx))
}

// begin reads the clock, and remembers the longest lifetime.
func (m *maintenance) begin(ctx context.Context, longest time.Duration) error {
	var remembered int64
	if err := m.conn.QueryRow(ctx, rememberLifetime, longest.Microseconds()).Scan(&remembered); err != nil {
		return err
	}
	m.longest = max(time.Duration(remembered)*time.Microsecond, shortestKept)
	return m.conn.QueryRow(ctx, m.store.plain(`SELECT {now}`)).Scan(&m.now)
}

// isOver reports whether all sessions of a month have ended, and none can be
// created any more.
func (m *maintenance) isOver(of month) bool {
	return !m.now.Before(of.end().Add(m.longest + tokenstore.StartLag))
}

func (m *maintenance) purge(ctx context.Context) error {
	for _, template := range purges {
		for {
			tag, err := m.conn.Exec(ctx, m.store.plain(template), purgeBatch)
			if err != nil {
				return fmt.Errorf("purging: %w", err)
			}
			m.report.Purged += int(tag.RowsAffected())
			if tag.RowsAffected() < purgeBatch {
				break
			}
		}
	}
	return nil
}
