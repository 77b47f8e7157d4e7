package cachetest

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache"
)

var expiryTests = []test{
	{"Expired_IsToldFromUnknownForRetention", testExpired},
	{"Finished_IsToldFromUnknownForRetention", testFinished},
	{"Validity_MayBeOneMillisecond", testShortest},
}

func testExpired(t *testing.T, h Harness) {
	start(t, h.Store, ready("ready"), pending("pending"))
	h.Advance(validity - time.Minute)
	wantState(t, h.Store, "ready", cache.Ready)
	h.Advance(2 * time.Minute)
	for range 2 {
		for _, key := range []string{"ready", "pending"} {
			_, err := h.other().Flow(t.Context(), key)
			wantErr(t, "Flow", err, cache.ErrExpired)
			_, err = h.other().RedeemFlow(t.Context(), key, proof, "")
			wantErr(t, "RedeemFlow", err, cache.ErrExpired)
			_, err = h.other().PollFlow(t.Context(), key, proof, "")
			wantErr(t, "PollFlow", err, cache.ErrExpired)
			_, err = h.other().AdvanceFlow(t.Context(), cache.Transition{Key: key, From: cache.Pending, To: cache.Ready, Validity: validity})
			wantErr(t, "AdvanceFlow", err, cache.ErrExpired)
		}
		h.Advance(cache.Retention - 2*time.Minute)
	}
	h.Advance(2 * time.Minute)
	for _, key := range []string{"ready", "pending"} {
		_, err := h.Store.Flow(t.Context(), key)
		wantErr(t, "Flow", err, cache.ErrNotFound)
		_, err = h.Store.RedeemFlow(t.Context(), key, proof, "")
		wantErr(t, "RedeemFlow", err, cache.ErrNotFound)
	}
}

func testFinished(t *testing.T, h Harness) {
	start(t, h.Store, ready("done"), pending("error"))
	redeem(t, h.Store, "done")
	advance(t, h.Store, cache.Transition{Key: "error", From: cache.Pending, To: cache.Error})
	for range 2 { // within the validity, and past it
		_, err := h.other().Flow(t.Context(), "done")
		wantErr(t, "Flow", err, cache.ErrUsed)
		_, err = h.other().RedeemFlow(t.Context(), "done", proof, "")
		wantErr(t, "RedeemFlow", err, cache.ErrUsed)
		_, err = h.other().PollFlow(t.Context(), "done", proof, "")
		wantErr(t, "PollFlow", err, cache.ErrUsed)
		_, err = h.other().Flow(t.Context(), "error")
		wantErr(t, "Flow", err, cache.ErrState)
		h.Advance(cache.Retention - time.Minute)
	}
	for _, key := range []string{"done", "error"} {
		_, err := h.Store.Flow(t.Context(), key)
		wantErr(t, "Flow", err, cache.ErrNotFound)
	}
}

func testShortest(t *testing.T, h Harness) {
	f := ready("code:1")
	f.Validity = time.Millisecond
	start(t, h.Store, f)
	h.Advance(time.Millisecond)
	_, err := h.Store.RedeemFlow(t.Context(), f.Key, proof, "")
	wantErr(t, "RedeemFlow", err, cache.ErrExpired)
}
