package cachetest

import (
	"bytes"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache"
)

var advanceTests = []test{
	{"AdvanceFlow_ReplacesValueAndProof", testAdvanceReplaces},
	{"AdvanceFlow_KeepsWhatIsNotGiven", testAdvanceKeeps},
	{"AdvanceFlow_CanReplaceWithinAState", testAdvanceWithin},
	{"AdvanceFlow_StartsTheValidityAnew", testAdvanceValidity},
	{"AdvanceFlow_WantsTheStateItStartsFrom", testAdvanceState},
	{"AdvanceFlow_ToErrorKeepsTheReasonOnly", testAdvanceError},
	{"AdvanceFlow_ToDoneReturnsTheValueOnce", testAdvanceDone},
}

func testAdvanceReplaces(t *testing.T, h Harness) {
	start(t, h.Store, pending("code:1"))
	value := []byte("new\x00value")
	f := advance(t, h.Store, cache.Transition{
		Key: "code:1", From: cache.Pending, To: cache.Ready, Value: value, Proof: wrong,
	})
	if f.State != cache.Ready || !bytes.Equal(f.Value, value) {
		t.Fatalf("got %+v", f)
	}
	_, err := h.other().RedeemFlow(t.Context(), "code:1", proof, "")
	wantErr(t, "RedeemFlow with the old proof", err, cache.ErrMismatch)
	f, err = h.other().RedeemFlow(t.Context(), "code:1", wrong, "")
	wantOK(t, "RedeemFlow with the new proof", err)
	if !bytes.Equal(f.Value, value) {
		t.Fatalf("value = %q", f.Value)
	}
}

func testAdvanceKeeps(t *testing.T, h Harness) {
	start(t, h.Store, pending("code:1"))
	before, err := h.Store.Flow(t.Context(), "code:1")
	wantOK(t, "Flow", err)
	f := advance(t, h.Store, cache.Transition{Key: "code:1", From: cache.Pending, To: cache.Ready})
	if !bytes.Equal(f.Value, binary) || !f.ExpiresAt.Equal(before.ExpiresAt) || !f.CreatedAt.Equal(before.CreatedAt) {
		t.Fatalf("got %+v, was %+v", f, before)
	}
	if f := redeem(t, h.Store, "code:1"); !bytes.Equal(f.Value, binary) {
		t.Fatalf("value = %q", f.Value)
	}
}

func testAdvanceWithin(t *testing.T, h Harness) {
	start(t, h.Store, pending("code:1"))
	for _, value := range []string{"one", "two"} {
		advance(t, h.Store, cache.Transition{Key: "code:1", From: cache.Pending, To: cache.Pending, Value: []byte(value)})
		f, err := h.other().Flow(t.Context(), "code:1")
		wantOK(t, "Flow", err)
		if string(f.Value) != value || f.State != cache.Pending {
			t.Fatalf("got %+v, want %s", f, value)
		}
	}
	// An empty value is one, and not "keep".
	f := advance(t, h.Store, cache.Transition{Key: "code:1", From: cache.Pending, To: cache.Ready, Value: []byte{}})
	if len(f.Value) != 0 {
		t.Fatalf("value = %q", f.Value)
	}
}

func testAdvanceValidity(t *testing.T, h Harness) {
	start(t, h.Store, pending("longer"), pending("shorter"))
	h.Advance(validity / 2)
	advance(t, h.Store, cache.Transition{Key: "longer", From: cache.Pending, To: cache.Ready, Validity: validity})
	advance(t, h.Store, cache.Transition{Key: "shorter", From: cache.Pending, To: cache.Ready, Validity: time.Minute})
	h.Advance(2 * time.Minute)
	_, err := h.Store.Flow(t.Context(), "shorter")
	wantErr(t, "Flow", err, cache.ErrExpired)
	h.Advance(validity/2 + time.Minute)
	redeem(t, h.Store, "longer")
}

func testAdvanceState(t *testing.T, h Harness) {
	start(t, h.Store, pending("pending"), ready("ready"), ready("done"), pending("error"))
	redeem(t, h.Store, "done")
	advance(t, h.Store, cache.Transition{Key: "error", From: cache.Pending, To: cache.Error})
	for _, test := range []struct {
		key      string
		from, to cache.State
		want     error
	}{
		{"pending", cache.Ready, cache.Done, cache.ErrState},
		{"pending", cache.Ready, cache.Error, cache.ErrState},
		{"ready", cache.Pending, cache.Ready, cache.ErrState},
		{"ready", cache.Pending, cache.Error, cache.ErrState},
		{"done", cache.Pending, cache.Ready, cache.ErrUsed},
		{"done", cache.Ready, cache.Error, cache.ErrUsed},
		{"error", cache.Pending, cache.Ready, cache.ErrState},
		{"pending", cache.Done, cache.Ready, cache.ErrInvalid},
		{"ready", cache.Ready, cache.Pending, cache.ErrInvalid},
		{"error", cache.Error, cache.Pending, cache.ErrInvalid},
		{"pending", cache.Pending, "", cache.ErrInvalid},
	} {
		_, err := h.other().AdvanceFlow(t.Context(), cache.Transition{Key: test.key, From: test.from, To: test.to, Value: []byte("x")})
		wantErr(t, "AdvanceFlow "+test.key, err, test.want)
	}
	wantState(t, h.Store, "pending", cache.Pending)
	if f := redeem(t, h.Store, "ready"); !bytes.Equal(f.Value, binary) {
		t.Fatalf("value = %q", f.Value)
	}
}

func testAdvanceError(t *testing.T, h Harness) {
	start(t, h.Store, pending("reason"), ready("none"))
	advance(t, h.Store, cache.Transition{Key: "reason", From: cache.Pending, To: cache.Error, Value: []byte("access_denied")})
	advance(t, h.Store, cache.Transition{Key: "none", From: cache.Ready, To: cache.Error})
	for key, value := range map[string]string{"reason": "access_denied", "none": ""} {
		f, err := h.other().Flow(t.Context(), key)
		wantErr(t, "Flow", err, cache.ErrState)
		if f.State != cache.Error || string(f.Value) != value || f.Key != key {
			t.Errorf("%s: got %+v", key, f)
		}
		f, err = h.other().PollFlow(t.Context(), key, proof, "")
		wantOK(t, "PollFlow", err)
		if f.State != cache.Error || string(f.Value) != value {
			t.Errorf("%s: got %+v", key, f)
		}
		_, err = h.Store.RedeemFlow(t.Context(), key, proof, "")
		wantErr(t, "RedeemFlow", err, cache.ErrState)
	}
}

func testAdvanceDone(t *testing.T, h Harness) {
	start(t, h.Store, pending("code:1"))
	f := advance(t, h.Store, cache.Transition{Key: "code:1", From: cache.Pending, To: cache.Done})
	if f.State != cache.Done || !bytes.Equal(f.Value, binary) {
		t.Fatalf("got %+v", f)
	}
	f, err := h.other().Flow(t.Context(), "code:1")
	wantErr(t, "Flow", err, cache.ErrUsed)
	if f.State != cache.Done || len(f.Value) != 0 {
		t.Fatalf("tombstone %+v", f)
	}
}
