package postgres_test

import (
	"testing"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres"
	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres/postgrestest"
)

// TestUpgrade: a database of the first schema, with months and sessions in them,
// is migrated beside a node that goes on to use it.
func TestUpgrade(t *testing.T) {
	url := postgrestest.URL(t)
	running := migrated(t, postgres.Options{URL: url})
	old := signIn(t, running)
	conn := database(t, url)
	execute(t, conn, "ALTER TABLE session DROP COLUMN provider_session")
	execute(t, conn, "DELETE FROM gatehouse_version WHERE version_id = 2")
	store := migrated(t, postgres.Options{URL: url})
	if _, err := store.Session(t.Context(), old.ID); err != nil {
		t.Errorf("a session of before: %v", err)
	}
	next := signIn(t, store)
	found, err := store.ListSessions(t.Context(), tokenstore.SessionQuery{Subject: next.Subject, ProviderSession: [][]byte{[]byte("x")}})
	if err != nil || len(found) != 0 {
		t.Errorf("by a provider's session: %d, %v", len(found), err)
	}
	if _, err := running.Session(t.Context(), next.ID); err != nil {
		t.Errorf("at the node that ran before: %v", err)
	}
}
