package memory

import (
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/cache"
)

func newFlow(key string) cache.NewFlow {
	return cache.NewFlow{
		Key: key, State: cache.Ready, Value: []byte("value"), Proof: []byte("proof"),
		Validity: 10 * time.Minute, Owner: "192.0.2.1",
	}
}

// TestFlood_StaysBoundedAndHarmsNobody starts far more flows than the caps
// allow, from ever new addresses, while time goes on.
func TestFlood_StaysBoundedAndHarmsNobody(t *testing.T) {
	starts := floodStarts
	if testing.Short() {
		starts = 50_000
	}
	const global = 5000
	now := time.Now()
	store := New(Options{Now: func() time.Time { return now }, Caps: cache.Caps{Owner: 100, Global: global}})
	defer store.Close()
	honest := newFlow("honest")
	honest.Owner, honest.Validity = "honest", 24*time.Hour
	done := newFlow("done")
	for _, f := range []cache.NewFlow{honest, done} {
		if err := store.StartFlow(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := store.RedeemFlow(t.Context(), "done", done.Proof, ""); err != nil {
		t.Fatal(err)
	}
	begun, refused := time.Now(), 0
	for i := range starts {
		now = now.Add(50 * time.Minute / time.Duration(starts)) // so that floods expire and come again
		f := newFlow(fmt.Sprint("flood:", i))
		f.Owner, f.Value = fmt.Sprint(i/200), make([]byte, 1024)
		switch err := store.StartFlow(t.Context(), f); {
		case errors.Is(err, cache.ErrFull):
			refused++
		case err != nil:
			t.Fatal(err)
		}
	}
	t.Logf("%d starts in %v: %d refused", starts, time.Since(begun).Round(time.Second), refused)
	if store.live > global || store.flows.len() > 2*global+1 || len(store.owners) > global {
		t.Errorf("%d live of %d flows, of %d owners", store.live, store.flows.len(), len(store.owners))
	}
	var memory runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&memory)
	if limit := uint64(global*4096 + 32<<20); memory.HeapAlloc > limit {
		t.Errorf("the heap has %d bytes, more than %d", memory.HeapAlloc, limit)
	}
	if refused == 0 {
		t.Error("nothing was refused")
	}
	if _, err := store.Flow(t.Context(), "done"); !errors.Is(err, cache.ErrUsed) {
		t.Errorf("the finished flow is %v", err)
	}
	if _, err := store.RedeemFlow(t.Context(), "honest", honest.Proof, "honest"); err != nil {
		t.Errorf("the honest flow is %v", err)
	}
}

// TestFlood_OfFinishedFlowsIsBounded finishes far more flows than the caps allow
// to be alive.
func TestFlood_OfFinishedFlowsIsBounded(t *testing.T) {
	const global, validity = 2000, time.Minute
	now := time.Now()
	store := New(Options{Now: func() time.Time { return now }, Caps: cache.Caps{Global: global}})
	defer store.Close()
	begin := func(key string) error {
		f := newFlow(key)
		f.Validity = validity
		return store.StartFlow(t.Context(), f)
	}
	finish := func(key string, want error) {
		t.Helper()
		if _, err := store.RedeemFlow(t.Context(), key, []byte("proof"), ""); !errors.Is(err, want) {
			t.Fatalf("redeeming %s: %v, want %v", key, err, want)
		}
	}
	refused := 0
	for i := range 30_000 {
		now = now.Add(validity / 5000) // six times the validity in all
		key := fmt.Sprint("flood:", i)
		switch err := begin(key); {
		case errors.Is(err, cache.ErrFull):
			refused++
			continue
		case err != nil:
			t.Fatal(err)
		}
		finish(key, nil)
		finish(key, cache.ErrUsed)
		if store.flows.len() > 2*global || store.fresh > global || len(store.spent.items) > global {
			t.Fatalf("%d flows, %d of them fresh, %d spent", store.flows.len(), store.fresh, len(store.spent.items))
		}
	}
	if refused == 0 {
		t.Error("nothing was refused")
	}
	// While a code could be used again, it is told that it was used before.
	now = now.Add(2 * validity)
	if err := begin("last"); err != nil {
		t.Fatal(err)
	}
	finish("last", nil)
	now = now.Add(validity / 2)
	for i := range global - 1 {
		key := fmt.Sprint("more:", i)
		if err := begin(key); err != nil {
			t.Fatal(err)
		}
		finish(key, nil)
	}
	if err := begin("beyond"); !errors.Is(err, cache.ErrFull) {
		t.Errorf("one beyond: %v", err)
	}
	finish("last", cache.ErrUsed)
	now = now.Add(2 * validity)
	if err := begin("afterwards"); err != nil {
		t.Errorf("when they have expired: %v", err)
	}
	now = now.Add(cache.Retention)
	if err := begin("much later"); err != nil || store.flows.len() != 2 || store.fresh != 0 {
		t.Errorf("%d flows are left, %d fresh, %v", store.flows.len(), store.fresh, err)
	}
}

// TestFlood_OfRefusedFlowsHarmsNobody: of a refused flow nothing can be redeemed,
// so that it takes nobody's place.
func TestFlood_OfRefusedFlowsHarmsNobody(t *testing.T) {
	store := New(Options{})
	defer store.Close()
	for i := range defaultGlobalCap + 1 {
		key := fmt.Sprint("refused:", i)
		f := cache.NewFlow{Key: key, State: cache.Pending, Proof: []byte("proof"), Validity: time.Hour, Owner: fmt.Sprint(i % 10)}
		if err := store.StartFlow(t.Context(), f); err != nil {
			t.Fatalf("flow %d is %v", i, err)
		}
		if _, err := store.AdvanceFlow(t.Context(), cache.Transition{Key: key, From: cache.Pending, To: cache.Error}); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(store.flows.items); n > defaultGlobalCap+1 {
		t.Errorf("%d refused flows are kept", n)
	}
}

func TestTables_AreBounded(t *testing.T) {
	store := New(Options{Caps: cache.Caps{Global: 10}})
	defer store.Close()
	var alias, add, once error
	for i := range 11 {
		key := fmt.Sprint(i)
		alias = store.SetAlias(t.Context(), key, key, time.Minute)
		_, add = store.Add(t.Context(), cache.Count{Key: key, Limit: 1, Window: time.Minute})
		_, once = store.Once(t.Context(), key, time.Minute)
	}
	for name, err := range map[string]error{"SetAlias": alias, "Add": add, "Once": once} {
		if !errors.Is(err, cache.ErrFull) {
			t.Errorf("%s beyond the table = %v", name, err)
		}
	}
	for i := range 10 {
		if _, err := store.Alias(t.Context(), fmt.Sprint(i)); err != nil {
			t.Errorf("alias %d is %v", i, err)
		}
	}
}

// TestSubscribe_TellsASlowOneOfTheGap has a callback that hangs while more is
// announced than its queue holds.
func TestSubscribe_TellsASlowOneOfTheGap(t *testing.T) {
	store := New(Options{})
	defer store.Close()
	hang, gap := make(chan struct{}), make(chan struct{}, 1)
	received := 0
	err := store.Subscribe(t.Context(), func(cache.Announcement) { <-hang; received++ }, func() { gap <- struct{}{} })
	if err != nil {
		t.Fatal(err)
	}
	for range backlog + 2 {
		if err := store.Announce(t.Context(), cache.Announcement{Sessions: []uuid.UUID{uuid.New()}}); err != nil {
			t.Fatal(err)
		}
	}
	close(hang)
	select {
	case <-gap:
	case <-time.After(2 * time.Minute):
		t.Fatal("no gap")
	}
	recent, err := store.RecentRevocations(t.Context())
	if err != nil || len(recent) != backlog+2 {
		t.Fatalf("%d recent revocations, %v", len(recent), err)
	}
}
