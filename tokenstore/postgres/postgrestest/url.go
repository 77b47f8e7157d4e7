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
// watchdog, when the test binary is gone; so it need not write to the disk
// what it would want after a crash.
var shared = sync.OnceValues(func() (*reused, error) {
	server, err := start(Options{NoFsync: true})
	return &reused{server: server}, err
})

// URL returns the address of a fresh, empty database, the test's alone until it
// ends. It skips the test when there is no Postgres, and fails it under CI.
//
// The server that all tests share does not wait for the disk: a test of
// durability, or a measurement, has one of its own by [Start].
func URL(t testing.TB) string {
	t.Helper()
	if external := os.Getenv(EnvDatabaseURL); external != "" {
		return freshDatabase(t, external)
	}
	databases, err := shared()
	if err != nil {
		unavailable(t, err)
	}
	return databases.url(t)
}

// freshDatabase creates a database on the server at admin, dropped when the
// test ends, and returns its address.
func freshDatabase(t testing.TB, admin string) string {
	t.Helper()
	name, address, err := createDatabase(admin)
	if err != nil {
		t.Fatalf("creating a test database: %v", err)
	}
	t.Cleanup(func() {
		// A test may have left its server killed; the database goes with it.
		if err := execute(admin, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
			t.Logf("dropping the test database: %v", err)
		}
	})
	return address
}

func createDatabase(admin string) (name, address string, err error) {
	location, err := url.Parse(admin)
	if err != nil {
		return "", "", fmt.Errorf("parsing %s: not a URL", EnvDatabaseURL)
	}
	name = "gatehouse_test_" + strings.ToLower(rand.Text()[:16])
	location.Path = "/" + name
	return name, location.String(), execute(admin, "CREATE DATABASE "+name)
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
