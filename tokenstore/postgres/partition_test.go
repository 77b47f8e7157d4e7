package postgres_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres"
	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres/postgrestest"
)

const month = 30 * 24 * time.Hour

// idAt is a UUIDv7 of a time.
func idAt(t testing.TB, at time.Time) uuid.UUID {
	t.Helper()
	id := newID(t)
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(at.UnixMilli()))
	copy(id[:6], ms[2:])
	return id
}

func monthStart(at time.Time) time.Time {
	at = at.UTC()
	return time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC)
}

func table(at time.Time) string { return at.UTC().Format("session_2006_01") }

func maintain(t testing.TB, store *postgres.Store) tokenstore.MaintenanceReport {
	t.Helper()
	report, err := store.Maintain(context.Background(), month)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func execute(t testing.TB, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.Exec(context.Background(), sql); err != nil {
		t.Fatal(err)
	}
}

func TestSessionsLieInTheirMonth(t *testing.T) {
	url := postgrestest.URL(t)
	store := migrated(t, postgres.Options{URL: url})
	maintain(t, store)
	conn := database(t, url)
	subject := signIn(t, store).Subject
	start := monthStart(time.Now())
	next := start.AddDate(0, 1, 0)
	for _, at := range []time.Time{start.Add(-time.Millisecond), start, next.Add(-time.Millisecond), next, start.AddDate(0, 4, 0).Add(-time.Millisecond)} {
		n := newSession(t, idAt(t, at))
		n.Subject = subject
		session, err := store.CreateSession(t.Context(), n)
		if err != nil {
			t.Fatalf("%v: %v", at, err)
		}
		if !session.CreatedAt.Equal(at) {
			t.Errorf("created at %v, want %v", session.CreatedAt, at)
		}
		if _, err := store.Rotate(t.Context(), rotation(session, 0)); err != nil {
			t.Errorf("%v: %v", at, err)
		}
		var lies string
		err = conn.QueryRow(t.Context(), `SELECT tableoid::regclass::text FROM session WHERE id = $1`, n.ID.String()).Scan(&lies)
		if err != nil || lies != table(at) {
			t.Errorf("the session of %v lies in %s, %v", at, lies, err)
		}
	}
	n := newSession(t, idAt(t, start.AddDate(0, 4, 0)))
	n.Subject = subject
	if _, err := store.CreateSession(t.Context(), n); !errors.Is(err, tokenstore.ErrUnavailable) {
		t.Errorf("a month that has no table: %v", err)
	}
}

func TestMissingMonthIsUnavailableUntilItIsMade(t *testing.T) {
	url := postgrestest.URL(t)
	store := migrated(t, postgres.Options{URL: url})
	conn := database(t, url)
	execute(t, conn, "DROP TABLE "+table(time.Now()))
	in := tokenstore.SignIn{Identity: identity(t), NewSubject: "new", Session: newSession(t, newID(t))}
	if _, err := store.SignIn(t.Context(), in); !errors.Is(err, tokenstore.ErrUnavailable) {
		t.Fatalf("signing in: %v", err)
	}
	if _, err := store.Subject(t.Context(), "new"); !errors.Is(err, tokenstore.ErrNotFound) {
		t.Errorf("a sign-in that failed left its subject: %v", err)
	}
	if _, err := store.Session(t.Context(), newID(t)); !errors.Is(err, tokenstore.ErrNotFound) {
		t.Errorf("reading a session: %v", err)
	}
	// A node that died between the two steps left a table that is not attached.
	execute(t, conn, "CREATE TABLE "+table(time.Now())+" (LIKE session INCLUDING ALL)")
	report := maintain(t, store)
	if want := time.Now().UTC().Format("2006-01"); !slices.Contains(report.Created, want) || report.MonthsAhead != 3 {
		t.Errorf("maintenance reports %+v, want %s made and 3 ahead", report, want)
	}
	if _, err := store.SignIn(t.Context(), in); err != nil {
		t.Errorf("signing in: %v", err)
	}
}

func TestRotationsAreHOT(t *testing.T) {
	url := postgrestest.URL(t)
	store := migrated(t, postgres.Options{URL: url})
	const sessions, rotations = 20, 20
	for range sessions {
		session := signIn(t, store)
		for generation := range uint32(rotations) {
			if _, err := store.Rotate(t.Context(), rotation(session, generation)); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := store.Revalidate(t.Context(), nil, []uuid.UUID{session.ID}); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Close(); err != nil { // makes the backends report what they did
		t.Fatal(err)
	}
	conn := database(t, url)
	const want = sessions * (rotations + 1)
	updated, hot := 0, 0
	for end := time.Now().Add(time.Minute); updated < want && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		err := conn.QueryRow(t.Context(), `SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = $1`,
			table(time.Now())).Scan(&updated, &hot)
		if err != nil {
			t.Fatal(err)
		}
	}
	if updated != want || hot != updated {
		t.Errorf("of %d updates %d are HOT, want all of %d", updated, hot, want)
	}
}

// TestRotationTouchesItsMonthOnly: a lock on the other months, or on the
// partitioned table, does not hold up a rotation, however often its statement
// was run and has a generic plan.
func TestRotationTouchesItsMonthOnly(t *testing.T) {
	url := postgrestest.URL(t)
	store := migrated(t, postgres.Options{URL: url + "&pool_max_conns=1", Timeout: 20 * time.Second})
	session := signIn(t, store)
	rotate := func(generation uint32) {
		t.Helper()
		if _, err := store.Rotate(t.Context(), rotation(session, generation)); err != nil {
			t.Fatal(err)
		}
		if _, err := store.Session(t.Context(), session.ID); err != nil {
			t.Fatal(err)
		}
	}
	for generation := range uint32(20) {
		rotate(generation)
	}
	conn := database(t, url)
	execute(t, conn, "BEGIN")
	execute(t, conn, fmt.Sprintf("LOCK TABLE ONLY session, %s IN ACCESS EXCLUSIVE MODE", table(monthStart(time.Now()).AddDate(0, 1, 0))))
	rotate(20)
	execute(t, conn, "ROLLBACK")
}

// TestMaintainBesideALongReader: while somebody holds a snapshot and locks on
// all months, months are made, an old one cannot be removed, and nobody waits
// for either.
func TestMaintainBesideALongReader(t *testing.T) {
	url := postgrestest.URL(t)
	var clock offset
	clock.advance(-3 * month)
	store := migrated(t, postgres.Options{URL: url, ClockOffset: clock.get, LockTimeout: 2 * time.Second})
	clock.Store(0)

	reader := database(t, url)
	execute(t, reader, "BEGIN ISOLATION LEVEL REPEATABLE READ")
	execute(t, reader, "SELECT * FROM session")

	// The session's month is the last of those made three months ago, or was
	// made just now.
	if _, err := store.Maintain(t.Context(), time.Hour); !errors.Is(err, tokenstore.ErrUnavailable) {
		t.Fatalf("detaching beside a reader: %v", err)
	}
	session := signIn(t, store)
	maintained := make(chan struct{})
	go func() {
		defer close(maintained)
		report, err := store.Maintain(t.Context(), time.Hour)
		if !errors.Is(err, tokenstore.ErrUnavailable) || report.MonthsAhead != 3 {
			t.Errorf("maintaining beside a reader: %+v, %v", report, err)
		}
	}()
	defer func() { <-maintained }()
	conn, beside := database(t, url), 0
	for generation := uint32(0); !isClosed(maintained); generation++ {
		before := waiting(t, conn)
		if _, err := store.Rotate(t.Context(), rotation(session, generation)); err != nil {
			t.Fatalf("rotating: %v", err)
		}
		// Unlike a rotation this reads all months.
		if _, err := store.ListSessions(t.Context(), tokenstore.SessionQuery{Subject: session.Subject}); err != nil {
			t.Fatalf("listing: %v", err)
		}
		if before != "" && waiting(t, conn) == before {
			beside++
		}
	}
	if beside == 0 {
		t.Error("nobody could rotate and list while maintenance waited for the reader")
	}

	execute(t, reader, "COMMIT")
	report := maintain(t, store)
	if len(report.Dropped) == 0 {
		t.Errorf("after the reader: %+v, want the oldest months dropped", report)
	}
	if _, err := store.Session(t.Context(), session.ID); err != nil {
		t.Error(err)
	}
}

// waiting names the statement that waits for a lock, if there is one.
func waiting(t testing.TB, conn *pgx.Conn) (statement string) {
	t.Helper()
	err := conn.QueryRow(context.Background(), `SELECT coalesce(max(pid || ' since ' || query_start), '')
		FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&statement)
	if err != nil {
		t.Fatal(err)
	}
	return statement
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
