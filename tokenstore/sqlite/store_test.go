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
	storetest.Run(t, func(t testing.TB) storetest.Harness {
		var offset atomic.Int64
		s := open(t, filepath.Join(t.TempDir(), "gatehouse.db"), sqlite.Options{
			Now: func() time.Time { return time.Now().Add(time.Duration(offset.Load())) },
		})
		return storetest.Harness{
			Store:   s,
			Advance: func(d time.Duration) { offset.Add(int64(d)) },
		}
	})
}
