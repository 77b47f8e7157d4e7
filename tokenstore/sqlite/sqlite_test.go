package sqlite_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gatehouse-auth/gatehouse/tokenstore/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, path string, o sqlite.Options) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(path, o)
	if err != nil {
		t.Fatalf("opening %s: %v", path, err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing %s: %v", path, err)
		}
	})
	return s
}

func migrated(t testing.TB, path string, o sqlite.Options) *sqlite.Store {
	t.Helper()
	s := open(t, path, o)
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatalf("migrating %s: %v", path, err)
	}
	return s
}

func TestFilesArePrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "gatehouse.db")
	s := migrated(t, path, sqlite.Options{})
	if err := s.RevokeTokenID(t.Context(), "a", time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != 0o600 {
			t.Errorf("mode of %s is %o, want 600", filepath.Base(path+suffix), got)
		}
	}
}

func TestOpenTightensMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	open(t, path, sqlite.Options{})
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("mode is %o, want 600", got)
	}
}

func TestOpenOddPaths(t *testing.T) {
	for _, name := range []string{"a b.db", "a?_pragma=synchronous(OFF).db", "a#b.db", "a%20b.db", "ä&c=d.db"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), name)
			migrated(t, path, sqlite.Options{})
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if info.Size() == 0 {
				t.Error("the file named was not the one written")
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "text.db")
	if err := os.WriteFile(file, []byte(strings.Repeat("not a database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"", ":memory:", dir, file, filepath.Join(file, "below")} {
		if s, err := sqlite.Open(path, sqlite.Options{}); err == nil {
			t.Errorf("opened %q", path)
			s.Close()
		}
	}
}
