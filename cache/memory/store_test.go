package memory_test

import (
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gatehouse-auth/gatehouse/cache/cachetest"
	"github.com/gatehouse-auth/gatehouse/cache/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB) cachetest.Harness {
	var offset atomic.Int64
	store := memory.New(memory.Options{
		Caps: cachetest.Caps(),
		Now:  func() time.Time { return time.Now().Add(time.Duration(offset.Load())) },
	})
	t.Cleanup(func() { _ = store.Close() })
	return cachetest.Harness{Store: store, Advance: func(d time.Duration) { offset.Add(int64(d)) }}
}

func TestStore(t *testing.T) { cachetest.Run(t, open) }
