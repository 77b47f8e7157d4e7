package sqlite_test

import (
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
	"github.com/gatehouse-auth/gatehouse/tokenstore/sqlite"
)

// alter runs statements on a file as another program would.
func alter(t *testing.T, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, st := range statements {
		if _, err := db.ExecContext(t.Context(), st); err != nil {
			t.Fatalf("%s: %v", st, err)
		}
	}
}

const (
	laterVersion = `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)`
	breakOlder   = `UPDATE compatibility SET compatible_from = 99`
)

func TestNewerSchema(t *testing.T) {
	t.Run("compatible", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "gatehouse.db")
		migrated(t, path, sqlite.Options{})
		alter(t, path, laterVersion)
		s := migrated(t, path, sqlite.Options{})
		if err := s.RevokeTokenID(t.Context(), "a", time.Now().Add(time.Hour)); err != nil {
			t.Error(err)
		}
	})
	t.Run("too new", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "gatehouse.db")
		running := migrated(t, path, sqlite.Options{})
		alter(t, path, laterVersion, breakOlder)
		s := open(t, path, sqlite.Options{})
		if err := s.Migrate(t.Context()); !errors.Is(err, tokenstore.ErrSchemaTooNew) {
			t.Errorf("Migrate: %v, want %v", err, tokenstore.ErrSchemaTooNew)
		}
		if _, err := s.RevokedTokenIDs(t.Context()); !errors.Is(err, tokenstore.ErrSchemaTooNew) {
			t.Errorf("RevokedTokenIDs: %v, want %v", err, tokenstore.ErrSchemaTooNew)
		}
		// Who was running notices at the next look.
		if err := running.Ping(t.Context()); !errors.Is(err, tokenstore.ErrSchemaTooNew) {
			t.Errorf("Ping: %v, want %v", err, tokenstore.ErrSchemaTooNew)
		}
		if err := running.RevokeTokenID(t.Context(), "a", time.Now()); !errors.Is(err, tokenstore.ErrSchemaTooNew) {
			t.Errorf("RevokeTokenID: %v, want %v", err, tokenstore.ErrSchemaTooNew)
		}
	})
}

// TestMigrateAtOnce: several processes start on one new file. Stores share
// nothing but the file, as processes do.
func TestMigrateAtOnce(t *testing.T) {
	for range 3 {
		path := filepath.Join(t.TempDir(), "gatehouse.db")
		stores := make([]*sqlite.Store, 6)
		for i := range stores {
			stores[i] = open(t, path, sqlite.Options{})
		}
		errs := make([]error, len(stores))
		var wg sync.WaitGroup
		for i, s := range stores {
			wg.Go(func() { errs[i] = s.Migrate(t.Context()) })
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		if err := stores[0].RevokeTokenID(t.Context(), "a", time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		for i, s := range stores {
			got, err := s.RevokedTokenIDs(t.Context())
			if err != nil || len(got) != 1 {
				t.Fatalf("store %d: %v, error %v", i, got, err)
			}
		}
	}
}

// TestMigratedBefore: a process that only looks need not migrate.
func TestMigratedBefore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	migrated(t, path, sqlite.Options{})
	if err := open(t, path, sqlite.Options{}).Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestErrorsTellNoSecret(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	s := migrated(t, path, sqlite.Options{})
	alter(t, path, `CREATE TRIGGER broken BEFORE INSERT ON provider_token BEGIN SELECT raise(ABORT, 'full'); END`)
	_, err := s.StoreProviderToken(t.Context(), tokenstore.ProviderToken{
		Subject: "ann", Provider: "p", Scope: "openid",
		RefreshToken: []byte("hidden-refresh"), RefreshHash: []byte("hidden-hash"), RefreshExpiresAt: time.Now().Add(time.Hour),
	}, tokenstore.StoreOptions{})
	if !errors.Is(err, tokenstore.ErrUnavailable) {
		t.Fatalf("got %v, want %v", err, tokenstore.ErrUnavailable)
	}
	for _, secret := range []string{"hidden", "ann"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("error %q tells %q", err, secret)
		}
	}
}
