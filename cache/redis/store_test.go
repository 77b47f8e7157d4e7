package redis

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/cache/cachetest"
	"github.com/gatehouse-auth/gatehouse/cache/redis/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var prefixes atomic.Int64

// opener returns a function that opens two nodes' stores with a prefix of their
// own, so that one server serves many tests.
func opener(options Options) func(testing.TB) cachetest.Harness {
	return func(t testing.TB) cachetest.Harness {
		options.Prefix = fmt.Sprintf("test%d:", prefixes.Add(1))
		options.Caps = cachetest.Caps()
		nodes := []*Store{open(t, options), open(t, options)}
		return cachetest.Harness{Store: nodes[0], Other: nodes[1], Advance: func(d time.Duration) {
			for _, node := range nodes {
				node.offset.Add(d.Milliseconds())
			}
		}}
	}
}

func open(t testing.TB, options Options) *Store {
	t.Helper()
	store, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	store.heartbeat = time.Minute // else a machine that stands still for a moment makes a gap
	t.Cleanup(func() { _ = store.Close() })
	return store
}

func TestStore_Single(t *testing.T) {
	cachetest.Run(t, opener(Options{URL: redistest.URL(t)}))
}

func TestStore_Cluster(t *testing.T) {
	cachetest.Run(t, opener(Options{Addrs: redistest.StartCluster(t).Addrs()}))
}

func TestStore_AfterSentinelFailOver(t *testing.T) {
	sentinel := redistest.StartSentinel(t)
	options := Options{Addrs: sentinel.Addrs(), MasterName: sentinel.MasterName}
	before := open(t, options)
	if err := before.StartFlow(t.Context(), newFlow("before")); err != nil {
		t.Fatal(err)
	}
	sentinel.FailOver(t)
	eventually(t, "the store to find the new master", func() bool {
		return before.StartFlow(t.Context(), newFlow("after")) == nil
	})
	cachetest.Run(t, opener(options))
}

func newFlow(key string) cache.NewFlow {
	return cache.NewFlow{
		Key: key, State: cache.Ready, Value: []byte("value"), Proof: []byte("proof"),
		Validity: time.Hour, Owner: "192.0.2.1",
	}
}

// eventually waits for a condition, and fails the test when it does not come.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(2 * time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline.C:
			t.Fatalf("waited in vain for %s", what)
		case <-tick.C:
		}
	}
}
