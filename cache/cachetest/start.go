package cachetest

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache"
)

var startTests = []test{
	{"StartFlow_IsReadBackOnEveryNode", testReadBack},
	{"StartFlow_RefusesAKeyThatIsTaken", testTaken},
	{"StartFlow_RefusesTheKeyOfATombstone", testTakenByTombstone},
	{"Flow_DoesNotKnowWhatWasNeverStarted", testUnknown},
	{"DeleteFlow_ForgetsTombstonesToo", testDelete},
	{"Values_AreTheStoresOwnCopies", testCopies},
}

func testReadBack(t *testing.T, h Harness) {
	for name, value := range map[string][]byte{
		"empty": nil, "binary": binary, "digits": []byte("123"), "negative": []byte("-1"),
		"full": bytes.Repeat([]byte{0}, cache.MaxValue),
	} {
		f := pending("code:" + name)
		f.Value, f.Interval = value, 7*time.Second
		start(t, h.Store, f)
		for _, node := range h.nodes() {
			got, err := node.Flow(t.Context(), f.Key)
			wantOK(t, "Flow", err)
			if got.Key != f.Key || got.State != cache.Pending || !bytes.Equal(got.Value, value) || got.Interval != f.Interval || got.SlowDown {
				t.Errorf("%s: got %+v", name, got)
			}
			if d := got.ExpiresAt.Sub(got.CreatedAt); d != validity {
				t.Errorf("%s: valid for %v, want %v", name, d, validity)
			}
			if got.Now.Before(got.CreatedAt) || !got.Now.Before(got.ExpiresAt) {
				t.Errorf("%s: now is %v, created %v", name, got.Now, got.CreatedAt)
			}
		}
		wantOK(t, "DeleteFlow", h.Store.DeleteFlow(t.Context(), f.Key, ""))
	}
}

func testTaken(t *testing.T, h Harness) {
	start(t, h.Store, pending("code:1"))
	wantErr(t, "StartFlow", h.other().StartFlow(t.Context(), ready("code:1")), cache.ErrExists)
	wantState(t, h.Store, "code:1", cache.Pending)
}

func testTakenByTombstone(t *testing.T, h Harness) {
	start(t, h.Store, ready("code:1"))
	redeem(t, h.Store, "code:1")
	wantErr(t, "StartFlow", h.Store.StartFlow(t.Context(), ready("code:1")), cache.ErrExists)
	h.Advance(cache.Retention + time.Minute)
	start(t, h.Store, ready("code:1"))
	redeem(t, h.Store, "code:1")
}

func testUnknown(t *testing.T, h Harness) {
	key := strings.Repeat("~", cache.MaxKey)
	_, err := h.Store.Flow(t.Context(), key)
	wantErr(t, "Flow", err, cache.ErrNotFound)
	_, err = h.Store.AdvanceFlow(t.Context(), cache.Transition{Key: key, From: cache.Pending, To: cache.Ready})
	wantErr(t, "AdvanceFlow", err, cache.ErrNotFound)
	_, err = h.Store.RedeemFlow(t.Context(), key, proof, "")
	wantErr(t, "RedeemFlow", err, cache.ErrNotFound)
	_, err = h.Store.PollFlow(t.Context(), key, proof, "")
	wantErr(t, "PollFlow", err, cache.ErrNotFound)
	wantOK(t, "DeleteFlow", h.Store.DeleteFlow(t.Context(), key, "somebody"))
}

func testDelete(t *testing.T, h Harness) {
	start(t, h.Store, ready("code:1"), ready("code:2"))
	redeem(t, h.Store, "code:1")
	for _, key := range []string{"code:1", "code:2"} {
		wantOK(t, "DeleteFlow", h.other().DeleteFlow(t.Context(), key, ""))
		_, err := h.Store.Flow(t.Context(), key)
		wantErr(t, "Flow", err, cache.ErrNotFound)
	}
	start(t, h.Store, ready("code:1"))
}

func testCopies(t *testing.T, h Harness) {
	f := ready("code:1")
	f.Value, f.Proof = []byte("value"), []byte("proof")
	start(t, h.Store, f)
	f.Value[0], f.Proof[0] = 'X', 'X'
	read, err := h.Store.Flow(t.Context(), f.Key)
	wantOK(t, "Flow", err)
	read.Value[1] = 'X'
	got, err := h.Store.RedeemFlow(t.Context(), f.Key, []byte("proof"), "")
	wantOK(t, "RedeemFlow", err)
	if string(got.Value) != "value" {
		t.Fatalf("value = %q", got.Value)
	}
}
