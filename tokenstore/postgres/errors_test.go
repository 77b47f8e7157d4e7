package postgres_test

import (
	"context"
	"errors"
	"testing"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres"
	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres/postgrestest"
)

// TestWhatIsNoVerdictIsUnavailable: whatever the database has against a statement
// says nothing of the session that it is about.
func TestWhatIsNoVerdictIsUnavailable(t *testing.T) {
	url := postgrestest.URL(t)
	store := migrated(t, postgres.Options{URL: url})
	session := signIn(t, store)
	conn := database(t, url)
	for _, state := range []string{
		"26000", // a pooler that forgot a prepared statement
		"42501", // somebody revoked a privilege
		"25P04", // transaction_timeout of PostgreSQL 17
		"22003", "P0001", "ZZ999",
	} {
		execute(t, conn, `CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
			$$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '`+state+`'; END $$`)
		execute(t, conn, `CREATE OR REPLACE TRIGGER refuse BEFORE UPDATE ON session FOR EACH ROW EXECUTE FUNCTION refuse()`)
		if _, err := store.Rotate(t.Context(), rotation(session, 0)); !errors.Is(err, tokenstore.ErrUnavailable) {
			t.Errorf("%s: rotating: %v", state, err)
		}
		if _, err := store.RevokeSession(t.Context(), session.ID); !errors.Is(err, tokenstore.ErrUnavailable) {
			t.Errorf("%s: revoking: %v", state, err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := store.Session(ended, session.ID); !errors.Is(err, tokenstore.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("with the caller gone: %v", err)
	}
}
