package sqlite_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokenstore/sqlite"
)

// TestCallersWhoGo: a browser that goes away in the middle of a write, however
// early or late, leaves a store that others can write to.
func TestCallersWhoGo(t *testing.T) {
	s := migrated(t, filepath.Join(t.TempDir(), "gatehouse.db"), sqlite.Options{})
	until := time.Now().Add(time.Hour)
	for i := range 1000 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%200)*time.Microsecond)
		_ = s.RevokeTokenID(ctx, "gone", until) // done or not, as it comes
		cancel()
		if err := s.RevokeTokenID(t.Context(), "here", until); err != nil {
			t.Fatalf("after %d callers had gone: %v", i+1, err)
		}
	}
}
