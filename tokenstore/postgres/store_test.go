package postgres_test

import (
	"cmp"
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres"
	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres/postgrestest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// offset is a test's shift of the store's clock.
type offset struct{ atomic.Int64 }

func (o *offset) get() time.Duration      { return time.Duration(o.Load()) }
func (o *offset) advance(d time.Duration) { o.Add(int64(d)) }

// open opens a store, closed with the test, without migrating it. Its operations
// have a minute unless the test says otherwise: others share the machine and its
// disk.
func open(t testing.TB, o postgres.Options) *postgres.Store {
	t.Helper()
	o.Timeout, o.ConnectTimeout = cmp.Or(o.Timeout, time.Minute), cmp.Or(o.ConnectTimeout, 20*time.Second)
	store, err := postgres.Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return store
}

// migrated opens a store on a fresh database and migrates it.
func migrated(t testing.TB, o postgres.Options) *postgres.Store {
	t.Helper()
	if o.URL == "" {
		o.URL = postgrestest.URL(t)
	}
	store := open(t, o)
	if err := store.Migrate(context.Background()); err != nil {
		t.Fatal(err)
	}
	return store
}

// database is a connection beside the store, closed with the test.
func database(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func newID(t testing.TB) uuid.UUID {
	t.Helper()
	id, err := uuid.NewV7()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// identity is one that no other test has.
func identity(t testing.TB) tokenstore.Identity {
	t.Helper()
	return tokenstore.Identity{Issuer: "https://idp.example", Subject: newID(t).String()}
}

func newSession(t testing.TB, id uuid.UUID) tokenstore.NewSession {
	t.Helper()
	return tokenstore.NewSession{
		ID: id, ClientID: "app.example", Scope: "openid profile", Resource: []string{"https://app.example"},
		Claims: []byte("sealed claims"), SecretHash: []byte("0123456789abcdef0123456789abcdef"),
		AuthTime: time.Now().UTC().Truncate(time.Microsecond), AMR: []string{"pwd"}, Provider: "staff",
		UserAgent: "test", Idle: 24 * time.Hour, Lifetime: 30 * 24 * time.Hour,
	}
}

// signIn signs a new identity in and returns its session.
func signIn(t testing.TB, store *postgres.Store) tokenstore.Session {
	t.Helper()
	id := newID(t)
	session, err := store.SignIn(context.Background(), tokenstore.SignIn{
		Identity: identity(t), NewSubject: "sub-" + id.String(), Session: newSession(t, id),
	})
	if err != nil {
		t.Fatal(err)
	}
	return session
}

func rotation(session tokenstore.Session, generation uint32) tokenstore.Rotation {
	return tokenstore.Rotation{
		ID: session.ID, Generation: generation, SecretHash: session.SecretHash,
		ClientID: session.ClientID, Cnf: session.Cnf, Grace: 30 * time.Second,
	}
}
