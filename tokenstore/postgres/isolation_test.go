package postgres_test

import (
	"context"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres"
	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres/postgrestest"
)

// A child that is being created when its parent is revoked does not outlive it,
// whatever isolation the database gives to those who do not ask for one: the
// revocation waits for the child, and then has to see it.
func TestIsolationIsTheStoresOwn(t *testing.T) {
	for _, isolation := range []string{"repeatable read", "serializable"} {
		t.Run(isolation, func(t *testing.T) {
			address := postgrestest.URL(t)
			setByDefault(t, address, "default_transaction_isolation", isolation)
			store := migrated(t, postgres.Options{URL: address})
			maintain(t, store)
			parent, child := signIn(t, store), newID(t)

			creating, beside := database(t, address), database(t, address)
			execute(t, creating, "BEGIN ISOLATION LEVEL READ COMMITTED")
			execute(t, creating, "SELECT FROM session WHERE id = '"+parent.ID.String()+"' FOR SHARE")
			execute(t, creating, "CREATE TEMP TABLE child AS SELECT * FROM session WHERE id = '"+parent.ID.String()+"'")
			execute(t, creating, "UPDATE child SET parent = id, id = '"+child.String()+"'")
			execute(t, creating, "INSERT INTO session SELECT * FROM child")
			revoked := make(chan error, 1)
			go func() {
				_, err := store.RevokeSession(context.WithoutCancel(t.Context()), parent.ID)
				revoked <- err
			}()
			for end := time.Now().Add(time.Minute); waiting(t, beside) == "" && time.Now().Before(end); {
				time.Sleep(5 * time.Millisecond)
			}
			execute(t, creating, "COMMIT")
			if err := <-revoked; err != nil {
				t.Fatal(err)
			}
			if session, err := store.Session(t.Context(), child); err != nil || session.RevokedAt.IsZero() {
				t.Errorf("the child is revoked at %v, %v", session.RevokedAt, err)
			}
		})
	}
}

// setByDefault sets what new connections to a database begin with, until reset is
// called or the test ends.
func setByDefault(t *testing.T, address, setting, value string) (reset func()) {
	t.Helper()
	location, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	alter := "ALTER DATABASE " + strings.TrimPrefix(location.Path, "/")
	conn := database(t, address)
	execute(t, conn, alter+" SET "+setting+" = '"+value+"'")
	reset = sync.OnceFunc(func() { execute(t, conn, alter+" RESET "+setting) })
	t.Cleanup(reset)
	return reset
}
