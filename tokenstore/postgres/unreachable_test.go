package postgres_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres"
	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres/postgrestest"
)

// soon is what a busy machine makes of the second or two in which a database is
// found to be away; without a bound that would take minutes, or for ever.
const soon = 20 * time.Second

func TestUnreachable(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	for name, address := range map[string]string{"refuses": closed.Addr().String(), "is silent": silent.Addr().String()} {
		t.Run(name, func(t *testing.T) {
			store := open(t, postgres.Options{
				URL:            "postgres://u:hunter2@" + address + "/gatehouse?sslmode=disable",
				ConnectTimeout: 200 * time.Millisecond,
			})
			for doing, call := range map[string]func() error{
				"Ping":     func() error { return store.Ping(t.Context()) },
				"Migrate":  func() error { return store.Migrate(t.Context()) },
				"Maintain": func() error { _, err := store.Maintain(t.Context(), time.Hour); return err },
				"Session":  func() error { _, err := store.Session(t.Context(), newID(t)); return err },
				"SignIn": func() error {
					_, err := store.SignIn(t.Context(), tokenstore.SignIn{Identity: identity(t), NewSubject: "s", Session: newSession(t, newID(t))})
					return err
				},
			} {
				start := time.Now()
				err := call()
				if !errors.Is(err, tokenstore.ErrUnavailable) {
					t.Errorf("%s: %v", doing, err)
				}
				if took := time.Since(start); took > soon {
					t.Errorf("%s took %v", doing, took)
				}
				if strings.Contains(err.Error(), "hunter2") {
					t.Errorf("%s gave the password away: %v", doing, err)
				}
			}
		})
	}
}

func TestOpenDoesNotQuoteTheAddress(t *testing.T) {
	for _, url := range []string{"postgres://u:hunter2@host:port/db", "postgres://u:hunter2@h/db?pool_max_conns=many", "hunter2"} {
		store, err := postgres.Open(t.Context(), postgres.Options{URL: url})
		if err == nil {
			_ = store.Close()
			t.Errorf("%s was accepted", url)
			continue
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error quotes the address: %v", err)
		}
	}
}

// Modes in which no session could be created are refused, and all others work.
func TestQueryExecModes(t *testing.T) {
	address := postgrestest.URL(t)
	for mode, works := range map[string]bool{
		"cache_statement": true, "cache_describe": true, "describe_exec": true, "exec": false, "simple_protocol": false,
	} {
		o := postgres.Options{URL: address + "&default_query_exec_mode=" + mode}
		if works {
			store := migrated(t, o)
			session := signIn(t, store)
			if _, err := store.Rotate(t.Context(), rotation(session, 0)); err != nil {
				t.Errorf("%s: %v", mode, err)
			}
			if _, err := store.RevokeSession(t.Context(), session.ID); err != nil {
				t.Errorf("%s: %v", mode, err)
			}
			maintain(t, store)
		} else if _, err := postgres.Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), "default_query_exec_mode") {
			t.Errorf("%s is not refused: %v", mode, err)
		}
	}
}

// TestRestartIsNotNoticed: a server that was restarted while connections lay
// idle costs no operation an error, not even one that may not be repeated.
func TestRestartIsNotNoticed(t *testing.T) {
	server := postgrestest.Start(t, postgrestest.Options{})
	store := migrated(t, postgres.Options{URL: server.URL(t) + "&pool_max_conns=8"})
	at := func() {
		t.Helper()
		var callers sync.WaitGroup
		for range 8 {
			callers.Go(func() {
				if _, err := store.SignIn(t.Context(), tokenstore.SignIn{
					Identity: identity(t), NewSubject: newID(t).String(), Session: newSession(t, newID(t)),
				}); err != nil {
					t.Errorf("signing in: %v", err)
				}
			})
		}
		callers.Wait()
	}
	at()
	server.Kill(t)
	start := time.Now()
	if err := store.Ping(t.Context()); !errors.Is(err, tokenstore.ErrUnavailable) {
		t.Errorf("with the server gone: %v", err)
	}
	if took := time.Since(start); took > soon {
		t.Errorf("noticing that the server is gone took %v", took)
	}
	server.Restart(t)
	at()
}

// TestSilentServer: a database that stops to answer on open connections is
// unavailable after the operation's time, and is used again when it answers.
func TestSilentServer(t *testing.T) {
	wire, url := listen(t, postgrestest.URL(t))
	store := migrated(t, postgres.Options{URL: url, Timeout: time.Second, ConnectTimeout: 500 * time.Millisecond})
	session := signIn(t, store)
	wire.silent.Store(true)
	for range 3 {
		start := time.Now()
		if _, err := store.Rotate(t.Context(), rotation(session, 0)); !errors.Is(err, tokenstore.ErrUnavailable) {
			t.Errorf("rotating: %v", err)
		}
		if took := time.Since(start); took > soon {
			t.Errorf("rotating took %v", took)
		}
	}
	wire.silent.Store(false)
	end := time.Now().Add(soon)
	_, err := store.Rotate(t.Context(), rotation(session, 0))
	for errors.Is(err, tokenstore.ErrUnavailable) && time.Now().Before(end) { // others share this machine
		_, err = store.Rotate(t.Context(), rotation(session, 0))
	}
	if err != nil {
		t.Errorf("when it answers again: %v", err)
	}
}

// silencer makes the wire silent when a statement is about to be sent.
type silencer struct {
	wire *wire
	at   string
}

func (s *silencer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	if s.wire != nil && strings.Contains(data.SQL, s.at) {
		s.wire.silent.Store(true)
	}
	return ctx
}

func (*silencer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// A database that falls silent when maintenance is all but over holds up nobody
// who waits for maintenance, such as a gateway that closes.
func TestSilentServerAtTheEndOfMaintenance(t *testing.T) {
	tracer := &silencer{at: "pg_advisory_unlock"}
	wire, address := listen(t, postgrestest.URL(t))
	store := migrated(t, postgres.Options{URL: address, Timeout: time.Second, Tracer: tracer})
	tracer.wire = wire
	defer wire.silent.Store(false)
	done := make(chan error, 1)
	go func() {
		_, err := store.Maintain(context.WithoutCancel(t.Context()), time.Hour)
		done <- err
	}()
	select {
	case err := <-done:
		if !errors.Is(err, tokenstore.ErrUnavailable) {
			t.Errorf("maintaining: %v", err)
		}
	case <-time.After(soon):
		wire.silent.Store(false)
		t.Errorf("maintenance was over %v later only: %v", soon, <-done)
	}
}

func TestNewerSchema(t *testing.T) {
	url := postgrestest.URL(t)
	store := migrated(t, postgres.Options{URL: url})
	session := signIn(t, store)
	conn := database(t, url)
	execute(t, conn, "INSERT INTO gatehouse_version (version_id, is_applied) VALUES (999, true)")
	use := func() error {
		if err := store.Ping(t.Context()); err != nil {
			return err
		}
		_, err := store.Maintain(t.Context(), time.Hour)
		return err
	}
	if err := errors.Join(store.Migrate(t.Context()), use()); err != nil {
		t.Errorf("a newer schema that is compatible: %v", err)
	}
	execute(t, conn, "UPDATE compatibility SET compatible_from = 999")
	for doing, err := range map[string]error{"Migrate": store.Migrate(t.Context()), "use": use()} {
		if !errors.Is(err, tokenstore.ErrSchemaTooNew) {
			t.Errorf("%s of a schema that is not: %v", doing, err)
		}
	}
	// What is signed in goes on until the node is replaced.
	if _, err := store.Session(t.Context(), session.ID); err != nil {
		t.Error(err)
	}
}
