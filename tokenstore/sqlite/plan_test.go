package sqlite

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// TestPlans: what runs while people wait finds its rows by an index, however
// many there are.
func TestPlans(t *testing.T) {
	s := openMigrated(t)
	byHash, _, err := selectProviderTokens(tokenstore.ProviderTokenQuery{AccessHash: []byte{1}})
	if err != nil {
		t.Fatal(err)
	}
	for name, query := range map[string]string{
		"load":                   selectSession,
		"rotate":                 rotateSession,
		"find subject":           selectIdentity,
		"revoke family":          revokeDescendants,
		"states":                 selectStates,
		"touch":                  touchSessions,
		"provider token":         selectProviderToken,
		"provider token by hash": byHash,
	} {
		t.Run(name, func(t *testing.T) {
			args := make([]any, strings.Count(query, "?"))
			rows, err := s.reader.db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, args...)
			if err != nil {
				t.Fatal(err)
			}
			defer rows.Close()
			for rows.Next() {
				var id, parent, unused int
				var detail string
				if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
					t.Fatal(err)
				}
				scansTable := strings.HasPrefix(detail, "SCAN ") &&
					!strings.Contains(detail, "json_each") && !strings.Contains(detail, "family") && !strings.Contains(detail, "CONSTANT ROW")
				if scansTable {
					t.Errorf("plan has %q", detail)
				}
			}
			if err := rows.Err(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestPragmas: each connection has the settings, and one without them is not
// used.
func TestPragmas(t *testing.T) {
	s := openMigrated(t)
	for range defaultReaders { // held, so that each round gets another
		conn, err := s.reader.db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		var synchronous, queryOnly int
		err = conn.QueryRowContext(t.Context(), `SELECT synchronous, query_only FROM pragma_synchronous, pragma_query_only`).
			Scan(&synchronous, &queryOnly)
		if err != nil || synchronous != 2 || queryOnly != 1 {
			t.Errorf("reader has synchronous=%d, query_only=%d, error %v", synchronous, queryOnly, err)
		}
		if _, err := conn.ExecContext(t.Context(), `DELETE FROM session`); err == nil {
			t.Error("a reader can write")
		}
	}
	db, err := openChecked(filepath.Join(t.TempDir(), "other.db"), true, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := checkPragmas(db, false); err == nil {
		t.Error("a connection with other settings was taken")
	}
}

func openMigrated(t *testing.T) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "gatehouse.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}
