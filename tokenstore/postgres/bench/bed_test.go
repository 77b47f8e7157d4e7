package bench

import (
	"context"
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres"
	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres/postgrestest"
)

const (
	clientID = "app.example"
	// secretHash is that of all sessions.
	secretHash = "0123456789abcdef0123456789abcdef"
	// subjects is how many the sessions belong to.
	subjects = 1000
)

// newBed makes a database with rows sessions in the current month, and as many
// in one that is to be removed.
func newBed(t testing.TB, server *postgrestest.Server, rows int) *bed {
	t.Helper()
	ctx := context.Background()
	now := time.Now().UTC()
	b := &bed{TB: t, url: server.URL(t), rows: rows, timed: &timings{}}
	b.month = time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	b.expire = b.month.AddDate(0, -4, 0)

	// A store of four months ago makes the month that is over now.
	past, err := postgres.Open(ctx, postgres.Options{URL: b.url, ClockOffset: func() time.Duration { return b.expire.Sub(now) }})
	if err == nil {
		err = past.Migrate(ctx)
	}
	if err == nil {
		err = past.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	b.store, err = postgres.Open(ctx, postgres.Options{URL: fmt.Sprintf("%s&pool_max_conns=%d", b.url, *clientsFlag), Tracer: b.timed})
	if err == nil {
		err = b.store.Migrate(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.store.Close() })
	b.db, err = pgx.Connect(ctx, b.url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.db.Close(ctx) })

	start := time.Now()
	b.execute(fmt.Sprintf(`INSERT INTO subject (id, created_at) SELECT 'sub-' || n, now() FROM generate_series(0, %d) n`, subjects-1))
	b.fill(b.month)
	b.fill(b.expire)
	b.execute("VACUUM ANALYZE")
	b.execute("CHECKPOINT")
	t.Logf("%d sessions in each of two months, made in %.0f s", rows, time.Since(start).Seconds())
	return b
}

// The id of session n holds the month's start, n milliseconds later, and n
// again: pgbench can compute it, and so can we.
const idExpression = `(lpad(to_hex(%s), 12, '0') || '70008000' || lpad(to_hex(%s), 12, '0'))::uuid`

func (b *bed) id(month time.Time, n int) uuid.UUID {
	id, err := uuid.Parse(fmt.Sprintf("%012x70008000%012x", month.UnixMilli()+int64(n), n))
	if err != nil {
		b.Fatal(err)
	}
	return id
}

// fill makes the sessions 0 to rows-1 of a month.
func (b *bed) fill(month time.Time) {
	b.execute(fmt.Sprintf(`
		INSERT INTO session (id, auth_time, expires_at, idle, gen, rotated_at, rotated_before, seen_at,
			sub, client_id, secret_hash, scope, resource, cnf, acr, amr, provider, user_agent, claims)
		SELECT `+idExpression+`, now, now + interval '30 days', 7 * 86400 * 1000000::bigint, 0, now AS rotated_at, now AS rotated_before, now AS seen_at,
			'sub-' || n %% %d, '%s', '\x%s', 'openid profile email', '{https://app.example}', '', '', '{pwd}', 'staff',
			'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0', decode(repeat(md5(n::text), 8), 'hex')
		FROM generate_series(0::bigint, %d) n, now() now`,
		fmt.Sprintf("%d + n", month.UnixMilli()), "n", subjects, clientID, hex.EncodeToString([]byte(secretHash)), b.rows-1))
}
