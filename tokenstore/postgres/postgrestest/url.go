package postgrestest

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// EnvDatabaseURL names the environment variable that holds the address of a
// server to use instead of starting one.
const EnvDatabaseURL = "TEST_DATABASE_URL"

// shared is the one server of this test binary. Nothing ends it but its
// watchdog, when the test binary is gone.
var shared = sync.OnceValues(func() (*Server, error) { return start(Options{}) })

// URL returns the address of a fresh, empty database, dropped when the test
// ends. It skips the test when there is no Postgres, and fails it under CI.
func URL(t testing.TB) string {
	t.Helper()
	if external := os.Getenv(EnvDatabaseURL); external != "" {
		return freshDatabase(t, external)
	}
	server, err := shared()
	if err != nil {
		unavailable(t, err)
	}
	return server.URL(t)
}

// freshDatabase creates a database on the server at admin and returns its
// address.
func freshDatabase(t testing.TB, admin string) string {
	t.Helper()
	address, err := url.Parse(admin)
	if err != nil {
		t.Fatalf("parsing %s: not a URL", EnvDatabaseURL)
	}
	name := "gatehouse_test_" + strings.ToLower(rand.Text()[:16])
	if err := execute(admin, "CREATE DATABASE "+name); err != nil {
		t.Fatalf("creating a test database: %v", err)
	}
	t.Cleanup(func() {
		// A test may have left its server killed; the database goes with it.
		if err := execute(admin, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
			t.Logf("dropping the test database: %v", err)
		}
	})
	address.Path = "/" + name
	return address.String()
}

func execute(address, statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return fmt.Errorf("connecting: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, statement)
	return err
}

// unavailable skips the test, or fails it where CI promises a Postgres.
func unavailable(t testing.TB, err error) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("starting Postgres: %v", err)
	}
	t.Skipf("no Postgres to test with: %v", err)
}
