package postgres_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres"
	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres/postgrestest"
)

// Connections that were made to a replica during a fail-over are not used for
// an hour when the address leads to the primary again.
func TestConnectionsToAReadOnlyServerAreGivenUp(t *testing.T) {
	const conns = 4
	address := postgrestest.URL(t)
	session := signIn(t, migrated(t, postgres.Options{URL: address}))
	reset := setByDefault(t, address, "default_transaction_read_only", "on")
	store := open(t, postgres.Options{URL: address + "&pool_max_conns=4"})
	var readers sync.WaitGroup
	for range 4 * conns {
		readers.Go(func() {
			if _, err := store.Session(t.Context(), session.ID); err != nil {
				t.Errorf("reading from a replica: %v", err)
			}
		})
	}
	readers.Wait()
	if _, err := store.Rotate(t.Context(), rotation(session, 0)); !errors.Is(err, tokenstore.ErrUnavailable) {
		t.Errorf("rotating at a replica: %v", err)
	}
	for range 4 * conns {
		readers.Go(func() { _, _ = store.Session(t.Context(), session.ID) })
	}
	readers.Wait()
	reset()
	_, err := store.Rotate(t.Context(), rotation(session, 0))
	for tries := 1; errors.Is(err, tokenstore.ErrUnavailable) && tries < conns; tries++ {
		_, err = store.Rotate(t.Context(), rotation(session, 0))
	}
	if err != nil {
		t.Errorf("rotating at the primary: %v", err)
	}
}

// pause waits before a statement is sent.
type pause struct {
	before string
	d      time.Duration
}

func (p pause) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	if strings.Contains(data.SQL, p.before) {
		time.Sleep(p.d)
	}
	return ctx
}

func (pause) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// A connection that the server ends for a timeout of the role's or the
// database's is a store that is unavailable for a moment.
func TestConnectionEndedByTheServer(t *testing.T) {
	address := postgrestest.URL(t)
	key := tokenstore.SigningKey{ID: "key", Algorithm: "ES256", Private: []byte("sealed"), Public: []byte("{}")}
	migrated(t, postgres.Options{URL: address})
	reset := setByDefault(t, address, "idle_in_transaction_session_timeout", "10ms")
	store := open(t, postgres.Options{URL: address, Tracer: pause{"INSERT INTO signing_key", 200 * time.Millisecond}})
	if _, err := store.AddSigningKey(t.Context(), key); !errors.Is(err, tokenstore.ErrUnavailable) {
		t.Errorf("in a transaction that was idle for too long: %v", err)
	}
	reset()
	if _, err := open(t, postgres.Options{URL: address}).AddSigningKey(t.Context(), key); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
