package cachetest

import (
	"bytes"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache"
)

var redeemTests = []test{
	{"RedeemFlow_TakesOnceAndKeepsTheValue", testRedeemOnce},
	{"RedeemFlow_ForgetsTheValueWithTheValidity", testRedeemForgets},
	{"RedeemFlow_JudgesTheProofBeforeAllElse", testRedeemProof},
	{"RedeemFlow_WrongProofConsumesNothing", testRedeemWrong},
	{"RedeemFlow_NeedsAProof", testRedeemNoProof},
	{"RedeemFlow_WantsReady", testRedeemPending},
}

func testRedeemOnce(t *testing.T, h Harness) {
	start(t, h.Store, ready("code:1"))
	f := redeem(t, h.Store, "code:1")
	if f.State != cache.Done || !bytes.Equal(f.Value, binary) || f.Key != "code:1" {
		t.Fatalf("got %+v", f)
	}
	for _, node := range h.nodes() {
		f, err := node.RedeemFlow(t.Context(), "code:1", proof, "")
		wantErr(t, "RedeemFlow again", err, cache.ErrUsed)
		if f.State != cache.Done || !bytes.Equal(f.Value, binary) {
			t.Fatalf("taken already: %+v", f)
		}
		f, err = node.Flow(t.Context(), "code:1")
		wantErr(t, "Flow", err, cache.ErrUsed)
		if f.State != cache.Done || len(f.Value) != 0 {
			t.Fatalf("tombstone %+v", f)
		}
	}
}

func testRedeemForgets(t *testing.T, h Harness) {
	start(t, h.Store, ready("code:1"))
	redeem(t, h.Store, "code:1")
	h.Advance(validity)
	for _, node := range h.nodes() {
		f, err := node.RedeemFlow(t.Context(), "code:1", proof, "")
		wantErr(t, "RedeemFlow", err, cache.ErrUsed)
		if len(f.Value) != 0 {
			t.Fatalf("value = %q", f.Value)
		}
		wantErr(t, "ReopenFlow", node.ReopenFlow(t.Context(), "code:1", nil), cache.ErrExpired)
	}
}

func testRedeemProof(t *testing.T, h Harness) {
	start(t, h.Store, ready("done"), pending("pending"), pending("error"), ready("expired"))
	redeem(t, h.Store, "done")
	advance(t, h.Store, cache.Transition{Key: "error", From: cache.Pending, To: cache.Error})
	for range 2 {
		for _, key := range []string{"done", "pending", "error", "expired"} {
			_, err := h.other().RedeemFlow(t.Context(), key, wrong, "")
			wantErr(t, "RedeemFlow "+key, err, cache.ErrMismatch)
			_, err = h.other().PollFlow(t.Context(), key, wrong, "")
			wantErr(t, "PollFlow "+key, err, cache.ErrMismatch)
		}
		h.Advance(validity + time.Minute)
	}
}

func testRedeemWrong(t *testing.T, h Harness) {
	start(t, h.Store, ready("code:1"))
	for _, bad := range [][]byte{nil, {}, wrong, proof[:len(proof)-1], append(bytes.Clone(proof), 0), bytes.Repeat([]byte{7}, cache.MaxProof)} {
		_, err := h.other().RedeemFlow(t.Context(), "code:1", bad, "")
		wantErr(t, "RedeemFlow", err, cache.ErrMismatch)
	}
	if f := redeem(t, h.Store, "code:1"); !bytes.Equal(f.Value, binary) {
		t.Fatalf("value = %q", f.Value)
	}
}

func testRedeemNoProof(t *testing.T, h Harness) {
	f := ready("code:1")
	f.Proof = nil
	start(t, h.Store, f)
	for _, given := range [][]byte{nil, {}, proof} {
		_, err := h.Store.RedeemFlow(t.Context(), f.Key, given, "")
		wantErr(t, "RedeemFlow", err, cache.ErrMismatch)
		_, err = h.Store.PollFlow(t.Context(), f.Key, given, "")
		wantErr(t, "PollFlow", err, cache.ErrMismatch)
	}
}

func testRedeemPending(t *testing.T, h Harness) {
	start(t, h.Store, pending("code:1"))
	_, err := h.Store.RedeemFlow(t.Context(), "code:1", proof, "")
	wantErr(t, "RedeemFlow", err, cache.ErrState)
	advance(t, h.other(), cache.Transition{Key: "code:1", From: cache.Pending, To: cache.Ready})
	redeem(t, h.Store, "code:1")
}
