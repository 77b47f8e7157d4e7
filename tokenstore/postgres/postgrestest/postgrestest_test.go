package postgrestest_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres/postgrestest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func query(t *testing.T, url, sql string) (int, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close(ctx) }()
	var n int
	err = conn.QueryRow(ctx, sql).Scan(&n)
	return n, err
}

func TestURLGivesEachTestItsOwnDatabase(t *testing.T) {
	a, b := postgrestest.URL(t), postgrestest.URL(t)
	if a == b {
		t.Fatalf("the same database twice: %s", a)
	}
	if _, err := query(t, a, "CREATE TABLE only_in_a (); SELECT 1"); err == nil {
		t.Fatal("two commands in one prepared statement were accepted")
	}
	n, err := query(t, b, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
	if err != nil || n != 0 {
		t.Fatalf("a fresh database has %d tables, %v", n, err)
	}
}

func TestKillAndRestartKeepsWhatWasCommitted(t *testing.T) {
	server := postgrestest.Start(t, postgrestest.Options{})
	url := server.URL(t)
	if _, err := query(t, url, "WITH made AS (SELECT 1) SELECT 1"); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "CREATE TABLE kept AS SELECT 42 AS n"); err != nil {
		t.Fatal(err)
	}
	server.Kill(t)
	if _, err := conn.Exec(t.Context(), "SELECT 1"); err == nil {
		t.Fatal("a connection outlived kill -9")
	}
	if _, err := query(t, url, "SELECT 1"); err == nil {
		t.Fatal("a killed server answered")
	}
	server.Restart(t)
	if n, err := query(t, url, "SELECT n FROM kept"); err != nil || n != 42 {
		t.Fatalf("after the restart: %d, %v", n, err)
	}
}

func TestURLOnAServerOfTheEnvironment(t *testing.T) {
	server := postgrestest.Start(t, postgrestest.Options{NoFsync: true, Settings: []string{"work_mem=5MB"}})
	t.Setenv(postgrestest.EnvDatabaseURL, server.URL(t))
	n, err := query(t, postgrestest.URL(t), fmt.Sprintf(
		"SELECT count(*) FROM pg_settings WHERE (name, setting) IN (('port', '%d'), ('work_mem', '5120'), ('fsync', 'off'))", server.Port()))
	if err != nil || n != 3 {
		t.Fatalf("%d of 3 settings are those of the server, %v", n, err)
	}
}
