package redis

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/cache/redis/redistest"
)

// trips counts round trips: commands, and pipelines as one.
type trips struct{ count atomic.Int64 }

func (h *trips) DialHook(next goredis.DialHook) goredis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (h *trips) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, cmd goredis.Cmder) error {
		h.count.Add(1)
		return next(ctx, cmd)
	}
}

func (h *trips) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []goredis.Cmder) error {
		h.count.Add(1)
		return next(ctx, cmds)
	}
}

func TestRoundTrips_OnePerMethod(t *testing.T) {
	store := open(t, Options{URL: redistest.URL(t)})
	var counter trips
	store.client.AddHook(&counter)
	ctx, owner := t.Context(), "192.0.2.1"
	device := newFlow("device")
	device.State, device.Interval = cache.Pending, time.Second
	steps := []struct {
		name  string
		trips int64
		run   func() error
	}{
		{"StartFlow", 1, func() error { return store.StartFlow(ctx, newFlow("code")) }},
		{"StartFlow, pending", 1, func() error { return store.StartFlow(ctx, device) }},
		{"Flow", 1, func() error { _, err := store.Flow(ctx, "code"); return err }},
		{"AdvanceFlow within a state", 1, func() error {
			_, err := store.AdvanceFlow(ctx, cache.Transition{Key: "device", From: cache.Pending, To: cache.Pending, Value: []byte("v")})
			return err
		}},
		{"PollFlow, pending", 1, func() error { _, err := store.PollFlow(ctx, "device", device.Proof, owner); return err }},
		{"PollFlow, too early", 1, func() error { _, err := store.PollFlow(ctx, "device", device.Proof, owner); return err }},
		{"AdvanceFlow to READY", 1, func() error {
			_, err := store.AdvanceFlow(ctx, cache.Transition{Key: "device", From: cache.Pending, To: cache.Ready, Owner: owner})
			return err
		}},
		{"PollFlow, delivering", 1, func() error {
			store.offset.Add(10_000)
			_, err := store.PollFlow(ctx, "device", device.Proof, owner)
			return err
		}},
		{"RedeemFlow", 1, func() error { _, err := store.RedeemFlow(ctx, "code", device.Proof, owner); return err }},
		{"StartFlow, pending again", 1, func() error { f := device; f.Key = "device2"; return store.StartFlow(ctx, f) }},
		{"AdvanceFlow to READY by one who does not know the owner", 2, func() error {
			_, err := store.AdvanceFlow(ctx, cache.Transition{Key: "device2", From: cache.Pending, To: cache.Ready})
			return err
		}},
		{"PollFlow, delivering what another approved", 1, func() error {
			_, err := store.PollFlow(ctx, "device2", device.Proof, owner)
			return err
		}},
		{"StartFlow of nobody", 1, func() error { f := newFlow("nobody"); f.Owner = ""; return store.StartFlow(ctx, f) }},
		{"AdvanceFlow to ERROR", 1, func() error {
			_, err := store.AdvanceFlow(ctx, cache.Transition{Key: "nobody", From: cache.Ready, To: cache.Error})
			return err
		}},
		{"DeleteFlow", 1, func() error { return store.DeleteFlow(ctx, "nobody", "") }},
		{"SetAlias", 1, func() error { return store.SetAlias(ctx, "alias", "device", time.Minute) }},
		{"Alias", 1, func() error { _, err := store.Alias(ctx, "alias"); return err }},
		{"Add", 1, func() error {
			_, err := store.Add(ctx, cache.Count{Key: "a", Limit: 1, Window: time.Minute}, cache.Count{Key: "b", Limit: 1, Window: time.Minute})
			return err
		}},
		{"Peek", 1, func() error {
			_, err := store.Peek(ctx, cache.Count{Key: "a", Limit: 1, Window: time.Minute})
			return err
		}},
		{"Forgive", 1, func() error { return store.Forgive(ctx, "a", "b") }},
		{"Once", 1, func() error { _, err := store.Once(ctx, "jti", time.Minute); return err }},
		{"Announce", 1, func() error { return store.Announce(ctx, cache.Announcement{Subjects: []string{"s"}}) }},
		{"RecentRevocations", 1, func() error { _, err := store.RecentRevocations(ctx); return err }},
		{"Ping", 1, func() error { return store.Ping(ctx) }},
	}
	// The first round teaches the server the scripts; the second is counted.
	for round := range 2 {
		for _, step := range steps {
			before := counter.count.Load()
			if err := step.run(); err != nil {
				t.Fatalf("%s = %v", step.name, err)
			}
			if got := counter.count.Load() - before; round == 1 && got != step.trips {
				t.Errorf("%s took %d round trips, want %d", step.name, got, step.trips)
			}
		}
		store.offset.Add((25 * time.Hour).Milliseconds())
	}
}

func TestScripts_AreTaughtWhenForgotten(t *testing.T) {
	server := redistest.Start(t)
	store := open(t, Options{URL: server.URL()})
	client := server.Client(t)
	for i, key := range []string{"a", "b", "c"} {
		if err := client.ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		if err := store.StartFlow(t.Context(), newFlow(key)); err != nil {
			t.Fatalf("StartFlow after the scripts were forgotten = %v", err)
		}
		if n := client.ZCard(t.Context(), DefaultPrefix+"live").Val(); n != int64(i+1) {
			t.Fatalf("%d live flows, want %d", n, i+1)
		}
	}
}
