package cachetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache"
)

var capTests = []test{
	{"Caps_OwnerIsJudgedBeforeGlobal", testCapOrder},
	{"Caps_GlobalCountsAllAndNobody", testCapGlobal},
	{"Caps_ARefusedFlowLeavesNothing", testCapRefused},
	{"Caps_AreReleasedByWhateverFinishes", testCapReleased},
	{"Caps_AreReleasedByExpiry", testCapExpired},
	{"Caps_FollowTheValidity", testCapValidity},
	{"Caps_AreKeptByWhatFails", testCapKept},
	{"Caps_NobodyReleasesAnothersSlot", testCapForeign},
	{"Caps_OfAKeyThatIsTakenAnew", testCapTakenAnew},
	{"Caps_CountBytes", testCapBytes},
	{"Caps_KeepThePlacesOfALargeFlow", testCapLarge},
}

// fill starts as many flows of owner as its cap allows and returns the keys.
func fill(t testing.TB, s cache.Store, owner string, count int) []string {
	t.Helper()
	var keys []string
	for i := range count {
		key := fmt.Sprintf("fill:%x:%d", owner, i)
		start(t, s, owned(pending(key), owner))
		keys = append(keys, key)
	}
	return keys
}

// wantFree checks that an owner has exactly free places, and gives them back.
func wantFree(t testing.TB, s cache.Store, owner string, free int) {
	t.Helper()
	for i := range free {
		key := fmt.Sprintf("free:%x:%d", owner, i)
		start(t, s, owned(pending(key), owner))
		defer func() { wantOK(t, "DeleteFlow", s.DeleteFlow(t.Context(), key, owner)) }()
	}
	wantErr(t, fmt.Sprintf("StartFlow beyond %d", free), s.StartFlow(t.Context(), owned(pending("free:beyond"), owner)), cache.ErrFull)
}

func testCapOrder(t *testing.T, h Harness) {
	fill(t, h.Store, "a\x00\xff", OwnerCap)
	wantFull(t, h.other().StartFlow(t.Context(), owned(pending("x"), "a\x00\xff")), "owner", OwnerCap)
	fill(t, h.Store, "b", OwnerCap)
	fill(t, h.other(), "c", GlobalCap-2*OwnerCap)
	wantFull(t, h.Store.StartFlow(t.Context(), owned(pending("x"), "c")), "global", GlobalCap)
	wantFull(t, h.Store.StartFlow(t.Context(), owned(pending("x"), "a\x00\xff")), "owner", OwnerCap)
	wantFull(t, h.Store.StartFlow(t.Context(), pending("x")), "global", GlobalCap)
}

func testCapGlobal(t *testing.T, h Harness) {
	keys := fill(t, h.Store, "", GlobalCap)
	wantFull(t, h.other().StartFlow(t.Context(), pending("x")), "global", GlobalCap)
	wantFull(t, h.other().StartFlow(t.Context(), owned(pending("x"), "a")), "global", GlobalCap)
	for _, key := range keys {
		wantState(t, h.Store, key, cache.Pending) // refusing never evicts
	}
}

func testCapRefused(t *testing.T, h Harness) {
	fill(t, h.Store, "a", OwnerCap)
	for range 3 * GlobalCap {
		wantFull(t, h.Store.StartFlow(t.Context(), owned(pending("x"), "a")), "owner", OwnerCap)
	}
	_, err := h.Store.Flow(t.Context(), "x")
	wantErr(t, "Flow", err, cache.ErrNotFound)
	wantFree(t, h.Store, "", GlobalCap-OwnerCap)
	fill(t, h.Store, "", GlobalCap-OwnerCap)
	for range 3 {
		wantFull(t, h.Store.StartFlow(t.Context(), owned(pending("x"), "b")), "global", GlobalCap)
	}
	wantOK(t, "DeleteFlow", h.Store.DeleteFlow(t.Context(), "fill::0", ""))
	start(t, h.Store, owned(pending("x"), "b"))
	for range OwnerCap { // a key that is taken takes no place
		wantErr(t, "StartFlow", h.Store.StartFlow(t.Context(), owned(pending("x"), "b")), cache.ErrExists)
	}
	wantOK(t, "DeleteFlow", h.Store.DeleteFlow(t.Context(), "fill::1", ""))
	start(t, h.Store, owned(pending("y"), "b"))
}

func testCapReleased(t *testing.T, h Harness) {
	for name, finish := range map[string]func(key, owner string) error{
		"redeemed": func(key, owner string) error {
			advance(t, h.Store, cache.Transition{Key: key, From: cache.Pending, To: cache.Ready, Owner: owner})
			_, err := h.other().RedeemFlow(t.Context(), key, proof, owner)
			return err
		},
		"polled": func(key, owner string) error {
			advance(t, h.Store, cache.Transition{Key: key, From: cache.Pending, To: cache.Ready, Owner: owner})
			_, err := h.other().PollFlow(t.Context(), key, proof, owner)
			return err
		},
		"approved by one who does not know the owner": func(key, owner string) error {
			advance(t, h.Store, cache.Transition{Key: key, From: cache.Pending, To: cache.Ready})
			_, err := h.other().PollFlow(t.Context(), key, proof, owner)
			return err
		},
		"refused": func(key, owner string) error {
			_, err := h.other().AdvanceFlow(t.Context(), cache.Transition{Key: key, From: cache.Pending, To: cache.Error, Owner: owner})
			return err
		},
		"done": func(key, owner string) error {
			_, err := h.other().AdvanceFlow(t.Context(), cache.Transition{Key: key, From: cache.Pending, To: cache.Done, Owner: owner})
			return err
		},
		"deleted": func(key, owner string) error { return h.other().DeleteFlow(t.Context(), key, owner) },
	} {
		// Whoever finishes a flow may have another address than who began it.
		for _, owner := range []string{"a", "", "b"} {
			fill(t, h.Store, "a", OwnerCap)
			for i := range OwnerCap {
				wantOK(t, name, finish(fmt.Sprintf("fill:%x:%d", "a", i), owner))
			}
			wantFree(t, h.Store, "a", OwnerCap)
			wantFree(t, h.Store, "", GlobalCap)
			for i := range OwnerCap {
				wantOK(t, "DeleteFlow", h.Store.DeleteFlow(t.Context(), fmt.Sprintf("fill:%x:%d", "a", i), "a"))
			}
		}
	}
}

func testCapExpired(t *testing.T, h Harness) {
	fill(t, h.Store, "a", OwnerCap)
	fill(t, h.Store, "", GlobalCap-OwnerCap)
	h.Advance(validity + time.Second)
	wantFree(t, h.other(), "a", OwnerCap)
	wantFree(t, h.other(), "", GlobalCap)
}

func testCapValidity(t *testing.T, h Harness) {
	keys := fill(t, h.Store, "a", OwnerCap)
	for i, key := range keys[:2] { // longer, by one who knows the owner and one who does not
		advance(t, h.Store, cache.Transition{Key: key, From: cache.Pending, To: cache.Ready, Validity: 3 * validity, Owner: []string{"a", ""}[i]})
	}
	advance(t, h.Store, cache.Transition{Key: keys[2], From: cache.Pending, To: cache.Pending, Validity: validity / 2, Owner: "a"})
	wantFree(t, h.Store, "a", 0)
	h.Advance(validity/2 + time.Second)
	wantFree(t, h.Store, "a", 1)
	h.Advance(validity)
	wantFree(t, h.Store, "a", OwnerCap-2)
	wantFree(t, h.Store, "", GlobalCap-2)
	for _, key := range keys[:2] {
		_, err := h.Store.RedeemFlow(t.Context(), key, proof, "a")
		wantOK(t, "RedeemFlow", err)
	}
	wantFree(t, h.Store, "a", OwnerCap)
}

func testCapKept(t *testing.T, h Harness) {
	keys := fill(t, h.Store, "a", OwnerCap)
	for i, key := range keys {
		if i%2 == 0 {
			advance(t, h.Store, cache.Transition{Key: key, From: cache.Pending, To: cache.Ready, Owner: "a"})
		}
		for _, attempt := range []func() error{
			func() error { _, err := h.Store.RedeemFlow(t.Context(), key, wrong, "a"); return err },
			func() error { _, err := h.Store.PollFlow(t.Context(), key, wrong, "a"); return err },
			func() error {
				_, err := h.Store.AdvanceFlow(t.Context(), cache.Transition{
					Key: key, From: []cache.State{cache.Pending, cache.Ready}[i%2], To: cache.Done, Owner: "a",
				})
				return err
			},
			func() error {
				_, err := h.Store.AdvanceFlow(t.Context(), cache.Transition{
					Key: key, From: []cache.State{cache.Pending, cache.Ready}[i%2], To: cache.Ready, Validity: time.Second, Owner: "a",
				})
				return err
			},
		} {
			if attempt() == nil {
				t.Fatal("an attempt that must fail has succeeded")
			}
		}
	}
	again := owned(pending(keys[0]), "a")
	again.Validity = time.Second
	wantErr(t, "StartFlow of a key that is taken", h.Store.StartFlow(t.Context(), again), cache.ErrExists)
	h.Advance(2 * time.Second)
	wantFree(t, h.Store, "a", 0)
	wantFree(t, h.Store, "", GlobalCap-OwnerCap)
}

// A flow that takes a key anew counts its own places, whoever looks at it by the owner
// of the one before.
func testCapTakenAnew(t *testing.T, h Harness) {
	before := owned(ready("taken"), "b")
	before.Value = make([]byte, 2*cache.PlaceSize)
	start(t, h.Store, before)
	h.Advance(validity + cache.Retention + time.Second)
	after := owned(pending("taken"), "a")
	start(t, h.Store, after)
	_, err := h.other().PollFlow(t.Context(), "taken", proof, "b")
	wantOK(t, "PollFlow", err)
	wantFree(t, h.Store, "a", OwnerCap-1)
	wantFree(t, h.Store, "", GlobalCap-1)
}

func testCapForeign(t *testing.T, h Harness) {
	keys := fill(t, h.Store, "a", OwnerCap)
	start(t, h.Store, owned(ready("mine"), "b"))
	_, err := h.Store.RedeemFlow(t.Context(), "mine", proof, "a")
	wantOK(t, "RedeemFlow", err)
	wantOK(t, "DeleteFlow", h.Store.DeleteFlow(t.Context(), "mine", "a"))
	wantFree(t, h.Store, "a", 0)
	for _, key := range keys {
		wantState(t, h.Store, key, cache.Pending)
	}
	wantFree(t, h.Store, "b", OwnerCap)
}

// sized is a pending flow whose value takes some places, to the byte.
func sized(key string, places int) cache.NewFlow {
	f := pending(key)
	f.Value = make([]byte, places*cache.PlaceSize)
	return f
}

func testCapBytes(t *testing.T, h Harness) {
	over := sized("over", OwnerCap)
	over.Value = append(over.Value, 0)
	wantFull(t, h.Store.StartFlow(t.Context(), owned(over, "a")), "owner", OwnerCap)
	start(t, h.Store, owned(sized("large", OwnerCap-1), "a"))
	wantFull(t, h.other().StartFlow(t.Context(), owned(sized("second", 2), "a")), "owner", OwnerCap)
	wantFree(t, h.Store, "a", 1)
	wantFree(t, h.Store, "", GlobalCap-OwnerCap+1)
	start(t, h.other(), owned(sized("other", OwnerCap), "b"))
	rest := GlobalCap - 2*OwnerCap + 1
	wantFull(t, h.other().StartFlow(t.Context(), sized("third", rest+1)), "global", GlobalCap)
	start(t, h.Store, sized("third", rest))
	wantFull(t, h.Store.StartFlow(t.Context(), sized("fourth", 1)), "global", GlobalCap)
	for _, key := range []string{"over", "second", "fourth"} {
		_, err := h.Store.Flow(t.Context(), key)
		wantErr(t, "Flow", err, cache.ErrNotFound)
	}
	h.Advance(validity + time.Second)
	wantFree(t, h.Store, "a", OwnerCap)
	wantFree(t, h.Store, "", GlobalCap)
}

// Whatever happens to a large flow, its places are kept while it is live, and all of
// them are given back when it is not.
func testCapLarge(t *testing.T, h Harness) {
	const places = 3
	for name, finish := range map[string]func(key, owner string) error{
		"redeemed": func(key, owner string) error {
			_, err := h.other().RedeemFlow(t.Context(), key, proof, owner)
			return err
		},
		"refused": func(key, owner string) error {
			_, err := h.other().AdvanceFlow(t.Context(), cache.Transition{Key: key, From: cache.Ready, To: cache.Error, Owner: owner})
			return err
		},
		"deleted": func(key, owner string) error { return h.other().DeleteFlow(t.Context(), key, owner) },
	} {
		for _, owner := range []string{"a", "b", ""} {
			key := "large:" + name + ":" + owner
			start(t, h.Store, owned(sized(key, places), "a"))
			wantFree(t, h.Store, "a", OwnerCap-places)
			_, err := h.Store.RedeemFlow(t.Context(), key, wrong, owner)
			wantErr(t, "RedeemFlow", err, cache.ErrMismatch)
			advance(t, h.Store, cache.Transition{Key: key, From: cache.Pending, To: cache.Ready, Value: binary, Validity: 2 * validity, Owner: owner})
			_, err = h.Store.RedeemFlow(t.Context(), key, wrong, owner)
			wantErr(t, "RedeemFlow", err, cache.ErrMismatch)
			wantErr(t, "StartFlow", h.Store.StartFlow(t.Context(), owned(sized(key, 1), "a")), cache.ErrExists)
			h.Advance(validity + time.Second)
			wantFree(t, h.Store, "a", OwnerCap-places)
			wantFree(t, h.Store, "", GlobalCap-places)
			wantOK(t, name, finish(key, owner))
			wantFree(t, h.Store, "a", OwnerCap)
			wantFree(t, h.Store, "", GlobalCap)
		}
	}
}
