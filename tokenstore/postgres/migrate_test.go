package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres"
	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres/postgrestest"
)

// A migration that waits for a long transaction holds nobody up behind it, and is done
// when that has ended. PostgreSQL grants locks in the order of asking, so that a reader
// and an ALTER TABLE stop a whole table:
// https://www.postgresql.org/docs/current/explicit-locking.html
func TestMigrate_HoldsNobodyUp(t *testing.T) {
	url := postgrestest.URL(t)
	former := migrated(t, postgres.Options{URL: url})
	admin, reader := database(t, url), database(t, url)
	for _, statement := range []string{ // as a node of schema version 2 left it
		`ALTER TABLE provider_token DROP COLUMN narrowed`,
		`DROP TABLE identity_email`,
		`DELETE FROM gatehouse_version WHERE version_id > 2`,
	} {
		if _, err := admin.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	tx, err := reader.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `SELECT count(*) FROM provider_token`); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	next := open(t, postgres.Options{URL: url, LockTimeout: 300 * time.Millisecond})
	go func() { done <- next.Migrate(context.WithoutCancel(t.Context())) }()
	for waits, end := false, time.Now().Add(time.Minute); !waits; {
		if err := admin.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND locktype = 'relation')`).Scan(&waits); err != nil || time.Now().After(end) {
			t.Fatal("the migration never waits: ", err)
		}
	}
	asking, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, err := admin.Exec(asking, `SELECT count(*) FROM provider_token`); err != nil {
		t.Fatalf("whoever wants the table waits behind the migration: %v", err)
	}
	select {
	case err := <-done:
		t.Fatalf("it did not wait: %v", err)
	default:
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatalf("once nobody is in the way: %v", err)
	}
	if err := former.Ping(t.Context()); err != nil {
		t.Errorf("it is not up to date: %v", err)
	}
}
