package flows

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/cache/memory"
)

// Flows that are finished at once keep no place under the caps; an address starts
// so many and no more.
func TestStarters_HoldAnAddressToItsRate(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	store := memory.New(memory.Options{Now: func() time.Time { return now }})
	defer store.Close()
	g := &Gateway{Config: Config{Cache: store, Now: func() time.Time { return now }}}
	number := 0
	begin := func(owner string) error {
		number++
		key := fmt.Sprint("code:", number)
		err := g.startFlow(t.Context(), cache.NewFlow{Key: key, State: cache.Ready, Proof: []byte("proof"), Validity: time.Minute, Owner: owner})
		if err == nil {
			_, err = store.RedeemFlow(t.Context(), key, []byte("proof"), owner)
		}
		return err
	}
	for i := range startBurst {
		if err := begin("192.0.2.1"); err != nil {
			t.Fatalf("flow %d: %v", i, err)
		}
	}
	var full *cache.FullError
	if err := begin("192.0.2.1"); !errors.As(err, &full) || full.Cap != "owner" {
		t.Fatalf("one beyond: %v", err)
	}
	if err := begin("192.0.2.2"); err != nil {
		t.Errorf("another address: %v", err)
	}
	now = now.Add(time.Second)
	for i := range 21 {
		if err := begin("192.0.2.1"); (err == nil) != (i < 20) {
			t.Errorf("flow %d of the next second: %v", i, err)
		}
	}
}

// fullCache starts no flow.
type fullCache struct{ cache.Store }

func (fullCache) StartFlow(context.Context, cache.NewFlow) error { return cache.ErrFull }

func TestStarters_CountWhatWasStarted(t *testing.T) {
	g := &Gateway{Config: Config{Cache: fullCache{}, Now: time.Now}}
	for range 100 {
		if err := g.startFlow(t.Context(), cache.NewFlow{Owner: "a"}); !errors.Is(err, cache.ErrFull) {
			t.Fatal(err)
		}
	}
	if idle := g.starters.idle["a"]; time.Until(idle) > startsEvery {
		t.Errorf("refused flows are counted: idle in %v", time.Until(idle))
	}
}

func TestStarters_AreBounded(t *testing.T) {
	var s starters
	now := time.Unix(1_800_000_000, 0)
	for i := range 2 * maxStarters {
		if !s.take(fmt.Sprint(i), now) {
			t.Fatal("a new address is refused")
		}
	}
	if len(s.idle) > maxStarters {
		t.Errorf("%d addresses are counted", len(s.idle))
	}
	s.take("later", now.Add(time.Minute))
	if len(s.idle) != 1 {
		t.Errorf("%d addresses are counted, though all were idle", len(s.idle))
	}
}
