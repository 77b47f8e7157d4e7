package cachetest

import (
	"bytes"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache"
)

// Marks as callers make them.
var (
	markA = bytes.Repeat([]byte{0xa0}, cache.MarkSize)
	markB = bytes.Repeat([]byte{0x0b}, cache.MarkSize)
)

var reopenTests = []test{
	{"ReopenFlow_GivesBackWhatWasTaken", testReopen},
	{"ReopenFlow_KeepsTheMarksInOrder", testReopenMarks},
	{"ReopenFlow_WantsAFlowThatWasRedeemed", testReopenOthers},
	{"ReopenFlow_EndsWithAnAdvanceToDone", testReopenAdvanced},
	{"ReopenFlow_LeavesNothingToALaterFlow", testReopenTakenAnew},
	{"ReopenFlow_ProlongsNothing", testReopenValidity},
	{"ReopenFlow_CountsUnderNoCap", testReopenCaps},
}

func reopen(t testing.TB, s cache.Store, key string, mark []byte) {
	t.Helper()
	wantOK(t, "ReopenFlow", s.ReopenFlow(t.Context(), key, mark))
}

func testReopen(t *testing.T, h Harness) {
	polled := device("device:1")
	polled.State = cache.Ready
	start(t, h.Store, ready("code:1"), polled)
	for range 3 {
		redeem(t, h.other(), "code:1")
		reopen(t, h.Store, "code:1", nil)
		wantState(t, h.other(), "code:1", cache.Ready)
		// At once, and not when the interval has passed.
		wantPoll(t, poll(t, h.Store, "device:1"), cache.Done, false, interval)
		reopen(t, h.other(), "device:1", nil)
	}
	if f := redeem(t, h.Store, "code:1"); !bytes.Equal(f.Value, binary) || f.State != cache.Done || len(f.Abandoned) != 0 {
		t.Fatalf("got %+v", f)
	}
	_, err := h.Store.RedeemFlow(t.Context(), "code:1", proof, "")
	wantErr(t, "RedeemFlow", err, cache.ErrUsed)
}

func testReopenMarks(t *testing.T, h Harness) {
	start(t, h.Store, ready("code:1"))
	wantMarks := func(f cache.Flow, want ...[]byte) {
		t.Helper()
		if !bytes.Equal(bytes.Join(f.Abandoned, nil), bytes.Join(want, nil)) || len(f.Abandoned) != len(want) {
			t.Fatalf("marks are %x", f.Abandoned)
		}
	}
	redeem(t, h.Store, "code:1")
	reopen(t, h.other(), "code:1", markA)
	wantMarks(redeem(t, h.Store, "code:1"), markA)
	// One that took it at the same time gives it back later.
	reopen(t, h.Store, "code:1", nil)
	reopen(t, h.other(), "code:1", markB)
	wantMarks(redeem(t, h.other(), "code:1"), markA, markB)
	f, err := h.Store.RedeemFlow(t.Context(), "code:1", proof, "")
	wantErr(t, "RedeemFlow", err, cache.ErrUsed)
	wantMarks(f, markA, markB)

	start(t, h.Store, ready("code:2"))
	redeem(t, h.Store, "code:2")
	for range cache.MaxMarks + 3 {
		reopen(t, h.Store, "code:2", markA)
	}
	if f := redeem(t, h.Store, "code:2"); len(f.Abandoned) != cache.MaxMarks {
		t.Fatalf("%d marks are kept", len(f.Abandoned))
	}
	wantErr(t, "ReopenFlow", h.Store.ReopenFlow(t.Context(), "code:2", markA[1:]), cache.ErrInvalid)
}

func testReopenOthers(t *testing.T, h Harness) {
	start(t, h.Store, pending("pending"), pending("error"), pending("done"))
	advance(t, h.Store, cache.Transition{Key: "error", From: cache.Pending, To: cache.Error})
	advance(t, h.Store, cache.Transition{Key: "done", From: cache.Pending, To: cache.Done})
	for key, want := range map[string]error{
		"pending": cache.ErrState, "error": cache.ErrState, "done": cache.ErrUsed, "unknown": cache.ErrNotFound,
	} {
		wantErr(t, "ReopenFlow "+key, h.other().ReopenFlow(t.Context(), key, markA), want)
	}
	wantState(t, h.Store, "pending", cache.Pending)
}

// A reopened flow that is advanced to DONE is as any other that nothing redeemed:
// it has no value left to answer, and cannot be reopened again.
func testReopenAdvanced(t *testing.T, h Harness) {
	for _, value := range [][]byte{nil, {}, []byte("new")} {
		key := "code:" + string(value)
		if value == nil {
			key = "code:none"
		}
		start(t, h.Store, ready(key))
		redeem(t, h.Store, key)
		reopen(t, h.Store, key, markA)
		advance(t, h.other(), cache.Transition{Key: key, From: cache.Ready, To: cache.Done, Value: value})
		wantErr(t, "ReopenFlow", h.Store.ReopenFlow(t.Context(), key, markA), cache.ErrUsed)
		f, err := h.Store.PollFlow(t.Context(), key, proof, "")
		wantErr(t, "PollFlow", err, cache.ErrUsed)
		if len(f.Value) != 0 {
			t.Fatalf("the flow answers %q", f.Value)
		}
	}
}

func testReopenValidity(t *testing.T, h Harness) {
	start(t, h.Store, ready("code:1"))
	h.Advance(validity / 2)
	redeem(t, h.Store, "code:1")
	reopen(t, h.Store, "code:1", markA)
	h.Advance(validity/2 + time.Second)
	_, err := h.other().RedeemFlow(t.Context(), "code:1", proof, "")
	wantErr(t, "RedeemFlow", err, cache.ErrExpired)
	wantErr(t, "ReopenFlow", h.other().ReopenFlow(t.Context(), "code:1", nil), cache.ErrExpired)
	h.Advance(cache.Retention)
	_, err = h.other().RedeemFlow(t.Context(), "code:1", proof, "")
	wantErr(t, "RedeemFlow", err, cache.ErrNotFound)
}

func testReopenCaps(t *testing.T, h Harness) {
	start(t, h.Store, owned(ready("code:1"), "a"))
	for range 3 {
		_, err := h.Store.RedeemFlow(t.Context(), "code:1", proof, "a")
		wantOK(t, "RedeemFlow", err)
		reopen(t, h.Store, "code:1", nil)
	}
	wantFree(t, h.Store, "a", OwnerCap)
	wantOK(t, "DeleteFlow", h.Store.DeleteFlow(t.Context(), "code:1", "a"))
	_, err := h.Store.RedeemFlow(t.Context(), "code:1", proof, "a")
	wantErr(t, "RedeemFlow", err, cache.ErrNotFound)
}

// A validity may be longer than the retention: a flow that takes the key anew has
// nothing of the one before.
func testReopenTakenAnew(t *testing.T, h Harness) {
	long := ready("code:1")
	long.Validity = 3 * cache.Retention
	start(t, h.Store, long)
	redeem(t, h.Store, "code:1")
	h.Advance(cache.Retention)
	start(t, h.other(), ready("code:1"))
	advance(t, h.Store, cache.Transition{Key: "code:1", From: cache.Ready, To: cache.Done})
	f, err := h.Store.RedeemFlow(t.Context(), "code:1", proof, "")
	wantErr(t, "RedeemFlow", err, cache.ErrUsed)
	if len(f.Value) != 0 {
		t.Fatalf("it has the value %q of the flow before", f.Value)
	}
	wantErr(t, "ReopenFlow", h.other().ReopenFlow(t.Context(), "code:1", nil), cache.ErrUsed)
}
