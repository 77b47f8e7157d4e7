package bench

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres"
	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres/postgrestest"
)

var (
	rowsFlag    = flag.String("rows", "", "numbers of sessions, separated by commas")
	secondsFlag = flag.Int("seconds", 5, "how long each measurement takes")
	roundsFlag  = flag.Int("rounds", 3, "how often the store and pgbench take turns")
	clientsFlag = flag.Int("clients", 8, "clients at once")
	buffersFlag = flag.String("shared_buffers", "1GB", "the server's shared_buffers")
)

// bed is a database with sessions in it.
type bed struct {
	testing.TB
	url    string
	rows   int
	month  time.Time // of the sessions that are rotated
	expire time.Time // the month to be removed
	db     *pgx.Conn
	store  *postgres.Store
	timed  *timings
	// generations of the sessions of month; nil: not read yet.
	generations []uint32
	rotated     int
}

func (b *bed) table() string { return b.month.Format("session_2006_01") }

func (b *bed) execute(sql string) {
	b.Helper()
	if _, err := b.db.Exec(context.Background(), sql); err != nil {
		b.Fatal(err)
	}
}

func number[T int64 | float64](b *bed, sql string) T {
	b.Helper()
	var n T
	if err := b.db.QueryRow(context.Background(), sql).Scan(&n); err != nil {
		b.Fatal(err)
	}
	return n
}

// outcome is a number of rows' median rates and times.
type outcome struct {
	rows         int
	store, bare  float64 // milliseconds for each rotation of a client
	storeP99     float64
	rate, byBare float64
}

func TestReport(t *testing.T) {
	if *rowsFlag == "" {
		t.Skip("no -rows given")
	}
	server := postgrestest.Start(t, postgrestest.Options{Settings: []string{
		"shared_buffers=" + *buffersFlag, "max_wal_size=16GB", "checkpoint_timeout=30min",
	}})
	var outcomes []outcome
	for field := range strings.SplitSeq(*rowsFlag, ",") {
		rows, err := strconv.Atoi(field)
		if err != nil || rows < *clientsFlag {
			t.Fatalf("-rows %s: want numbers, not below that of clients", *rowsFlag)
		}
		t.Run(field, func(t *testing.T) {
			outcomes = append(outcomes, measure(t, server, rows))
		})
	}
	if len(outcomes) < 2 {
		return
	}
	first := outcomes[0]
	for _, o := range outcomes[1:] {
		t.Logf("time at %d rows against %d: store × %.2f, bare UPDATE × %.2f",
			o.rows, first.rows, o.store/first.store, o.bare/first.bare)
	}
}

func measure(t *testing.T, server *postgrestest.Server, rows int) outcome {
	t.Helper()
	b := newBed(t, server, rows)
	t.Logf("bytes for each session: %.0f, of these %.0f in indexes",
		number[float64](b, "SELECT pg_total_relation_size('"+b.table()+"')::float8")/float64(rows),
		number[float64](b, "SELECT pg_indexes_size('"+b.table()+"')::float8")/float64(rows))

	// The first touch of a page after a checkpoint writes the whole page to the
	// WAL: a round that does not count takes most of them, and then both take
	// turns in being the first.
	b.measured("store, not counted", b.rotateByStore)
	b.measured("pgbench, not counted", b.rotateByPgbench)
	var store, bare []sample
	for round := range *roundsFlag {
		if round%2 == 0 {
			store = append(store, b.measured("store", b.rotateByStore))
		}
		bare = append(bare, b.measured("pgbench", b.rotateByPgbench))
		if round%2 == 1 {
			store = append(store, b.measured("store", b.rotateByStore))
		}
	}
	o := outcome{
		rows:  rows,
		store: median(store, func(s sample) float64 { return s.mean }), bare: median(bare, func(s sample) float64 { return s.mean }),
		storeP99: median(store, func(s sample) float64 { return s.p99 }),
		rate:     median(store, sample.rate), byBare: median(bare, sample.rate),
	}
	t.Logf("rotations per second with %d clients: store %.0f, bare UPDATE %.0f: %.2f of it", *clientsFlag, o.rate, o.byBare, o.rate/o.byBare)
	t.Logf("time of a rotation: store %.2f ms (p99 %.2f ms), bare UPDATE %.2f ms", o.store, o.storeP99, o.bare)
	t.Logf("WAL for each rotation: store %.0f bytes, bare UPDATE %.0f bytes",
		median(store, func(s sample) float64 { return s.wal }), median(bare, func(s sample) float64 { return s.wal }))
	b.reportDeadRows()
	b.reportRemoval(o.storeP99)
	return o
}

// sample is one measurement.
type sample struct {
	rotations int
	took      time.Duration
	mean, p99 float64 // milliseconds; pgbench tells no p99
	wal       float64 // bytes for each rotation
}

func (s sample) rate() float64 { return float64(s.rotations) / s.took.Seconds() }

func (b *bed) measured(who string, rotate func(time.Duration) sample) sample {
	b.Helper()
	before := number[float64](b, "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn")
	s := rotate(time.Duration(*secondsFlag) * time.Second)
	if s.rotations == 0 {
		b.Fatalf("%s rotated nothing", who)
	}
	b.rotated += s.rotations
	after := number[float64](b, "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn")
	s.wal = (after - before) / float64(s.rotations)
	b.Logf("%s: %.0f/s, %.2f ms, WAL %.0f bytes", who, s.rate(), s.mean, s.wal)
	return s
}

func median(samples []sample, of func(sample) float64) float64 {
	var values []float64
	for _, s := range samples {
		values = append(values, of(s))
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// reportDeadRows tells what the rotations left behind.
func (b *bed) reportDeadRows() {
	var updated, hot, dead float64
	// Idle backends report to the statistics after ten seconds.
	for end := time.Now().Add(30 * time.Second); updated < float64(b.rotated); time.Sleep(100 * time.Millisecond) {
		err := b.db.QueryRow(context.Background(), `
			SELECT n_tup_upd, n_tup_hot_upd, n_dead_tup FROM pg_stat_user_tables WHERE relname = $1`, b.table()).Scan(&updated, &hot, &dead)
		if err != nil {
			b.Fatal(err)
		}
		if time.Now().After(end) {
			b.Fatalf("the statistics tell of %.0f rotations out of %d", updated, b.rotated)
		}
	}
	b.Logf("of %.0f rotations %.2f%% were HOT; %.3f dead rows for each are left, and %s",
		updated, 100*hot/updated, dead/updated, fmt.Sprintf("the table has %.0f bytes for each session",
			number[float64](b, "SELECT pg_relation_size('"+b.table()+"')::float8")/float64(b.rows)))
}
