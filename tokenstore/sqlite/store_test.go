package sqlite_test

import (
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokenstore/sqlite"
	"github.com/gatehouse-auth/gatehouse/tokenstore/storetest"
)

func TestStore(t *testing.T) {
	t.Parallel() // each waits for the disk most of the time
	storetest.Run(t, func(t testing.TB) storetest.Harness { return harness(t, false) })
}

// TestStoreShared: two stores share a file, as a gateway does with the one
// that a reload starts beside it, or with the operator's subcommand.
func TestStoreShared(t *testing.T) {
	t.Parallel()
	storetest.RunRaces(t, func(t testing.TB) storetest.Harness { return harness(t, true) })
}

func harness(t testing.TB, shared bool) storetest.Harness {
	var offset atomic.Int64
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	o := sqlite.Options{Now: func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }}
	h := storetest.Harness{
		Store:   open(t, path, o),
		Advance: func(d time.Duration) { offset.Add(int64(d)) },
	}
	if shared {
		h.Peer = open(t, path, o)
	}
	return h
}
