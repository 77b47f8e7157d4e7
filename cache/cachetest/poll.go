package cachetest

import (
	"bytes"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache"
)

const interval = 10 * time.Second

var pollTests = []test{
	{"PollFlow_WaitsThenDeliversOnce", testPollDelivers},
	{"PollFlow_SlowsDownAndRemembersIt", testPollSlowDown},
	{"PollFlow_ToleratesASecond", testPollTolerance},
	{"PollFlow_TooEarlyMovesNoClock", testPollRefused},
	{"PollFlow_IntervalStopsGrowing", testPollGrowth},
	{"PollFlow_DeliversWheneverAsked", testPollEarly},
	{"PollFlow_TooEarlyYieldsToErrorAndExpiry", testPollEarlyYields},
	{"PollFlow_WithoutIntervalNeverSlowsDown", testPollWithoutInterval},
	{"PollFlow_WrongProofIsNoPoll", testPollWrong},
}

func device(key string) cache.NewFlow {
	f := pending(key)
	f.Interval = interval
	return f
}

func poll(t testing.TB, s cache.Store, key string) cache.Flow {
	t.Helper()
	f, err := s.PollFlow(t.Context(), key, proof, "")
	wantOK(t, "PollFlow", err)
	return f
}

func wantPoll(t testing.TB, f cache.Flow, state cache.State, slow bool, interval time.Duration) {
	t.Helper()
	if f.State != state || f.SlowDown != slow || f.Interval != interval {
		t.Fatalf("state %s, slow down %t, interval %v; want %s, %t, %v", f.State, f.SlowDown, f.Interval, state, slow, interval)
	}
}

func testPollDelivers(t *testing.T, h Harness) {
	start(t, h.Store, device("device:1"))
	wantPoll(t, poll(t, h.Store, "device:1"), cache.Pending, false, interval)
	advance(t, h.Store, cache.Transition{Key: "device:1", From: cache.Pending, To: cache.Ready, Value: binary})
	h.Advance(interval)
	f := poll(t, h.other(), "device:1")
	wantPoll(t, f, cache.Done, false, interval)
	if !bytes.Equal(f.Value, binary) {
		t.Fatalf("value = %q", f.Value)
	}
	h.Advance(interval)
	_, err := h.Store.PollFlow(t.Context(), "device:1", proof, "")
	wantErr(t, "PollFlow", err, cache.ErrUsed)
}

func testPollSlowDown(t *testing.T, h Harness) {
	start(t, h.Store, device("device:1"))
	wantPoll(t, poll(t, h.Store, "device:1"), cache.Pending, false, interval)
	wantPoll(t, poll(t, h.other(), "device:1"), cache.Pending, true, interval+5*time.Second)
	h.Advance(interval)
	wantPoll(t, poll(t, h.Store, "device:1"), cache.Pending, true, interval+10*time.Second)
	h.Advance(10 * time.Second)
	wantPoll(t, poll(t, h.other(), "device:1"), cache.Pending, false, interval+10*time.Second)
	f, err := h.Store.Flow(t.Context(), "device:1")
	wantOK(t, "Flow", err)
	if f.Interval != interval+10*time.Second {
		t.Fatalf("interval = %v", f.Interval)
	}
}

func testPollEarly(t *testing.T, h Harness) {
	start(t, h.Store, device("device:1"))
	poll(t, h.Store, "device:1")
	advance(t, h.Store, cache.Transition{Key: "device:1", From: cache.Pending, To: cache.Ready})
	f := poll(t, h.Store, "device:1")
	wantPoll(t, f, cache.Done, false, interval)
	if !bytes.Equal(f.Value, binary) {
		t.Fatalf("value = %q", f.Value)
	}
	_, err := h.other().PollFlow(t.Context(), "device:1", proof, "")
	wantErr(t, "PollFlow", err, cache.ErrUsed)
}

// testPollTolerance keeps an interval as clients do, whose clocks and networks are
// their own (H2CK/oidc#716).
func testPollTolerance(t *testing.T, h Harness) {
	start(t, h.Store, device("device:1"))
	poll(t, h.Store, "device:1")
	for _, wait := range []time.Duration{interval + 40*time.Millisecond, interval - 40*time.Millisecond, interval - 900*time.Millisecond} {
		h.Advance(wait)
		wantPoll(t, poll(t, h.other(), "device:1"), cache.Pending, false, interval)
	}
	h.Advance(interval - 2*time.Second)
	wantPoll(t, poll(t, h.Store, "device:1"), cache.Pending, true, interval+5*time.Second)
}

func testPollRefused(t *testing.T, h Harness) {
	start(t, h.Store, device("device:1"))
	poll(t, h.Store, "device:1")
	h.Advance(interval / 2)
	wantPoll(t, poll(t, h.Store, "device:1"), cache.Pending, true, interval+5*time.Second)
	h.Advance(interval / 2)
	wantPoll(t, poll(t, h.Store, "device:1"), cache.Pending, true, interval+10*time.Second)
	// 20 seconds after the last poll that was in time.
	h.Advance(interval)
	wantPoll(t, poll(t, h.Store, "device:1"), cache.Pending, false, interval+10*time.Second)
}

func testPollGrowth(t *testing.T, h Harness) {
	start(t, h.Store, device("device:1"))
	for range 100 {
		poll(t, h.Store, "device:1")
	}
	wantPoll(t, poll(t, h.Store, "device:1"), cache.Pending, true, cache.MaxSlowedInterval)
	slow := device("device:2")
	slow.Interval = 2 * cache.MaxSlowedInterval
	start(t, h.Store, slow)
	poll(t, h.Store, "device:2")
	wantPoll(t, poll(t, h.Store, "device:2"), cache.Pending, true, slow.Interval)
}

func testPollEarlyYields(t *testing.T, h Harness) {
	expiring := device("expired")
	expiring.Validity = time.Minute
	start(t, h.Store, device("error"), expiring)
	poll(t, h.Store, "error")
	advance(t, h.Store, cache.Transition{Key: "error", From: cache.Pending, To: cache.Error})
	wantPoll(t, poll(t, h.Store, "error"), cache.Error, false, interval)
	h.Advance(55 * time.Second)
	poll(t, h.Store, "expired")
	h.Advance(6 * time.Second)
	_, err := h.Store.PollFlow(t.Context(), "expired", proof, "")
	wantErr(t, "PollFlow", err, cache.ErrExpired)
}

func testPollWithoutInterval(t *testing.T, h Harness) {
	start(t, h.Store, pending("device:1"))
	for range 3 {
		wantPoll(t, poll(t, h.Store, "device:1"), cache.Pending, false, 0)
	}
}

func testPollWrong(t *testing.T, h Harness) {
	start(t, h.Store, device("device:1"))
	_, err := h.Store.PollFlow(t.Context(), "device:1", wrong, "")
	wantErr(t, "PollFlow", err, cache.ErrMismatch)
	wantPoll(t, poll(t, h.Store, "device:1"), cache.Pending, false, interval)
	h.Advance(interval)
	_, err = h.Store.PollFlow(t.Context(), "device:1", wrong, "")
	wantErr(t, "PollFlow", err, cache.ErrMismatch)
	wantPoll(t, poll(t, h.Store, "device:1"), cache.Pending, false, interval)
}
