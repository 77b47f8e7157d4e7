package redis

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/cache/redis/redistest"
)

// TestFlood_StaysBoundedAndHarmsNobody starts far more flows than the caps
// allow, from ever new addresses, none of which is finished.
func TestFlood_StaysBoundedAndHarmsNobody(t *testing.T) {
	starts := floodStarts
	if testing.Short() {
		starts = 20_000
	}
	global := starts / 50
	server := redistest.Start(t)
	const callers = 16 // each with a connection of its own, so that none waits for one
	store := open(t, Options{URL: server.URL(), PoolSize: callers, Caps: cache.Caps{Owner: 100, Global: global}})
	honest := newFlow("honest")
	honest.Owner = "honest"
	if err := store.StartFlow(t.Context(), honest); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	var next, refused, unanswered atomic.Int64
	var workers sync.WaitGroup
	for range callers {
		workers.Go(func() {
			for {
				i := int(next.Add(1))
				if i > starts || t.Context().Err() != nil {
					return
				}
				f := newFlow(fmt.Sprint("flood:", i))
				f.Owner, f.Value, f.State = fmt.Sprint(i/200), make([]byte, 1024), cache.Pending
				switch err := store.StartFlow(t.Context(), f); {
				case errors.Is(err, cache.ErrFull):
					refused.Add(1)
				case errors.Is(err, cache.ErrUnavailable): // the machine stood still for the time-out
					unanswered.Add(1)
				case err != nil:
					t.Errorf("StartFlow = %v", err)
					return
				}
			}
		})
	}
	workers.Wait()
	t.Logf("%d starts by %d callers in %v: %d refused, %d without an answer",
		starts, callers, time.Since(begun).Round(time.Second), refused.Load(), unanswered.Load())
	if got, few := int(unanswered.Load()), starts/1000; got > few {
		t.Errorf("%d starts were not answered, more than %d", got, few)
	}
	client := server.Client(t)
	if live := int(client.ZCard(t.Context(), DefaultPrefix+"live").Val()); live > global {
		t.Errorf("%d live flows, the cap is %d", live, global)
	}
	held := 0 // by owners, also of flows that the global cap refused
	for _, key := range client.Keys(t.Context(), DefaultPrefix+"o:*").Val() {
		held += int(client.ZCard(t.Context(), key).Val())
	}
	if held == 0 || held > global {
		t.Errorf("the owners hold %d slots for at most %d flows", held, global)
	}
	if got := starts - int(refused.Load()+unanswered.Load()); got > global {
		t.Errorf("%d flows were started, the cap is %d", got, global)
	}
	// A flow of 1 KiB with its slots, and the server by itself.
	if used, limit := usedMemory(t, client.Info(t.Context(), "memory").Val()), int64(global)*2500+8<<20; used > limit {
		t.Errorf("the server uses %d bytes, more than %d", used, limit)
	}
	if _, err := store.RedeemFlow(t.Context(), "honest", honest.Proof, "honest"); err != nil {
		t.Errorf("the honest flow is %v", err)
	}
}

func usedMemory(t *testing.T, info string) (bytes int64) {
	t.Helper()
	_, rest, _ := strings.Cut(info, "used_memory:")
	if _, err := fmt.Sscan(rest, &bytes); err != nil {
		t.Fatal(err)
	}
	return bytes
}

// TestRuins_KeepNoValues lets flows expire unfinished while others are started.
func TestRuins_KeepNoValues(t *testing.T) {
	server := redistest.Start(t)
	store, client := open(t, Options{URL: server.URL()}), server.Client(t)
	start := func(prefix string) {
		for i := range 50 {
			f := newFlow(fmt.Sprint(prefix, i))
			f.Validity = time.Minute
			if err := store.StartFlow(t.Context(), f); err != nil {
				t.Fatal(err)
			}
		}
	}
	start("old")
	store.offset.Add((2 * time.Minute).Milliseconds())
	start("new")
	for i := range 50 {
		if client.HExists(t.Context(), DefaultPrefix+fmt.Sprint("f:old", i), "v").Val() {
			t.Errorf("flow %d has expired and keeps its value", i)
		}
		if _, err := store.Flow(t.Context(), fmt.Sprint("old", i)); !errors.Is(err, cache.ErrExpired) {
			t.Errorf("flow %d is %v", i, err)
		}
		if f, err := store.Flow(t.Context(), fmt.Sprint("new", i)); err != nil || len(f.Value) == 0 {
			t.Errorf("flow %d is %v", i, err)
		}
	}
}

func TestTombstones_KeepNoValues(t *testing.T) {
	server := redistest.Start(t)
	store, client := open(t, Options{URL: server.URL()}), server.Client(t)
	for key, finish := range map[string]func(key string) error{
		"redeemed": func(key string) error {
			_, err := store.RedeemFlow(t.Context(), key, newFlow(key).Proof, "")
			return err
		},
		"done": func(key string) error {
			_, err := store.AdvanceFlow(t.Context(), cache.Transition{Key: key, From: cache.Ready, To: cache.Done, Value: []byte("last")})
			return err
		},
		"refused": func(key string) error {
			_, err := store.AdvanceFlow(t.Context(), cache.Transition{Key: key, From: cache.Ready, To: cache.Error})
			return err
		},
	} {
		if err := store.StartFlow(t.Context(), newFlow(key)); err != nil {
			t.Fatal(err)
		}
		if err := finish(key); err != nil {
			t.Fatal(err)
		}
		if client.HExists(t.Context(), DefaultPrefix+"f:"+key, "v").Val() {
			t.Errorf("the flow that is %s keeps its value", key)
		}
		if ttl := client.PTTL(t.Context(), DefaultPrefix+"f:"+key).Val(); ttl <= 0 || ttl > cache.Retention {
			t.Errorf("the tombstone of the flow that is %s stays for %v", key, ttl)
		}
	}
}

// TestKeys_AllExpire leaves nothing behind that would stay for ever, but for
// the number of the last announcement.
func TestKeys_AllExpire(t *testing.T) {
	server := redistest.Start(t)
	store, client := open(t, Options{URL: server.URL()}), server.Client(t)
	everything(t, store)
	if err := store.StartFlow(t.Context(), newFlow("live")); err != nil {
		t.Fatal(err)
	}
	for _, key := range client.Keys(t.Context(), "*").Val() {
		if !strings.HasPrefix(key, DefaultPrefix) {
			t.Errorf("key %s does not have the prefix", key)
		}
		if ttl := client.PTTL(t.Context(), key).Val(); ttl <= 0 && key != DefaultPrefix+numberKey {
			t.Errorf("key %s never expires", key)
		}
	}
}
