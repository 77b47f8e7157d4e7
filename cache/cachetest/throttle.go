package cachetest

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache"
)

var throttleTests = []test{
	{"Throttle_CountsInAFixedWindow", testThrottle},
	{"Throttle_PeekDoesNotCount", testPeek},
	{"Throttle_ForgiveResets", testForgive},
	{"Throttle_LosesNoEvent", testThrottleRace},
	{"Once_IsTrueForTheFirst", testOnce},
	{"Once_OneWins", testOnceRace},
}

func count(key string) cache.Count {
	return cache.Count{Key: key, Limit: 3, Window: time.Minute}
}

func wantThrottle(t testing.TB, got cache.Throttle, count int, retryAfter time.Duration) {
	t.Helper()
	if got.Count != count {
		t.Fatalf("count = %d, want %d", got.Count, count)
	}
	// Real time goes on while the test runs.
	if got.RetryAfter > retryAfter || got.RetryAfter < retryAfter-5*time.Second || (retryAfter > 0 && got.RetryAfter <= 0) {
		t.Fatalf("retry after %v, want %v", got.RetryAfter, retryAfter)
	}
}

func add(t testing.TB, s cache.Store, counts ...cache.Count) []cache.Throttle {
	t.Helper()
	got, err := s.Add(t.Context(), counts...)
	wantOK(t, "Add", err)
	if len(got) != len(counts) {
		t.Fatalf("%d answers to %d counters", len(got), len(counts))
	}
	return got
}

func testThrottle(t *testing.T, h Harness) {
	add(t, h.Store)
	wantThrottle(t, add(t, h.Store, count("a\x00\xff"))[0], 1, 0)
	h.Advance(20 * time.Second)
	wantThrottle(t, add(t, h.other(), count("a\x00\xff"))[0], 2, 0)
	wantThrottle(t, add(t, h.Store, count("a\x00\xff"))[0], 3, 40*time.Second)
	got := add(t, h.other(), count("b"), count("a\x00\xff"))
	wantThrottle(t, got[0], 1, 0)
	wantThrottle(t, got[1], 4, 40*time.Second)
	h.Advance(40 * time.Second)
	wantThrottle(t, add(t, h.Store, count("a\x00\xff"))[0], 1, 0)
}

func testPeek(t *testing.T, h Harness) {
	for range 3 {
		got, err := h.Store.Peek(t.Context(), count("a"), count("b"))
		wantOK(t, "Peek", err)
		wantThrottle(t, got[0], 0, 0)
		wantThrottle(t, got[1], 0, 0)
	}
	add(t, h.Store, count("a"), count("a"), count("a"))
	h.Advance(30 * time.Second)
	for range 2 {
		got, err := h.other().Peek(t.Context(), count("b"), count("a"))
		wantOK(t, "Peek", err)
		wantThrottle(t, got[0], 0, 0)
		wantThrottle(t, got[1], 3, 30*time.Second)
	}
	h.Advance(30 * time.Second)
	got, err := h.Store.Peek(t.Context(), count("a"))
	wantOK(t, "Peek", err)
	wantThrottle(t, got[0], 0, 0)
}

func testForgive(t *testing.T, h Harness) {
	add(t, h.Store, count("a"), count("b"), count("c"))
	wantOK(t, "Forgive", h.Store.Forgive(t.Context()))
	wantOK(t, "Forgive", h.other().Forgive(t.Context(), "a", "b", "never"))
	got := add(t, h.Store, count("a"), count("b"), count("c"))
	wantThrottle(t, got[0], 1, 0)
	wantThrottle(t, got[1], 1, 0)
	wantThrottle(t, got[2], 2, 0)
}

func testThrottleRace(t *testing.T, h Harness) {
	contend(h, func(s cache.Store, _ int) bool {
		_, err := s.Add(t.Context(), count("a"))
		if err != nil {
			t.Errorf("Add = %v", err)
		}
		return true
	})
	wantThrottle(t, add(t, h.Store, count("a"))[0], contenders+1, time.Minute)
}

func testOnce(t *testing.T, h Harness) {
	once := func(s cache.Store, want bool) {
		t.Helper()
		got, err := s.Once(t.Context(), "jti\x00\xff", time.Minute)
		if err != nil || got != want {
			t.Fatalf("Once = %t, %v, want %t", got, err, want)
		}
	}
	once(h.Store, true)
	once(h.Store, false)
	once(h.other(), false)
	h.Advance(50 * time.Second)
	once(h.other(), false) // which does not make it last longer
	h.Advance(10 * time.Second)
	once(h.other(), true)
	once(h.Store, false)
}

func testOnceRace(t *testing.T, h Harness) {
	won := contend(h, func(s cache.Store, _ int) bool {
		first, err := s.Once(t.Context(), "jti", time.Minute)
		if err != nil {
			t.Errorf("Once = %v", err)
		}
		return first
	})
	if won != 1 {
		t.Fatalf("%d were the first", won)
	}
}
