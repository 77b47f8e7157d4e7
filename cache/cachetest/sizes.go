package cachetest

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache"
)

var sizeTests = []test{
	{"Invalid_NewFlow", testInvalidFlow},
	{"Invalid_KeysAndProofsOfEveryMethod", testInvalidKeys},
	{"Invalid_Transition", testInvalidTransition},
}

func testInvalidFlow(t *testing.T, h Harness) {
	for name, spoil := range map[string]func(*cache.NewFlow){
		"no key":                func(f *cache.NewFlow) { f.Key = "" },
		"long key":              func(f *cache.NewFlow) { f.Key = strings.Repeat("k", cache.MaxKey+1) },
		"key with a newline":    func(f *cache.NewFlow) { f.Key = "a\nb" },
		"key beyond ASCII":      func(f *cache.NewFlow) { f.Key = "é" },
		"long value":            func(f *cache.NewFlow) { f.Value = make([]byte, cache.MaxValue+1) },
		"long proof":            func(f *cache.NewFlow) { f.Proof = make([]byte, cache.MaxProof+1) },
		"long owner":            func(f *cache.NewFlow) { f.Owner = strings.Repeat("o", cache.MaxKey+1) },
		"no validity":           func(f *cache.NewFlow) { f.Validity = 0 },
		"too short a validity":  func(f *cache.NewFlow) { f.Validity = time.Millisecond - 1 },
		"too long a validity":   func(f *cache.NewFlow) { f.Validity = 24*time.Hour + 1 },
		"negative interval":     func(f *cache.NewFlow) { f.Interval = -1 },
		"no state":              func(f *cache.NewFlow) { f.State = "" },
		"starting finished":     func(f *cache.NewFlow) { f.State = cache.Done },
		"starting with failure": func(f *cache.NewFlow) { f.State = cache.Error },
	} {
		f := pending("code:1")
		spoil(&f)
		wantErr(t, name, h.Store.StartFlow(t.Context(), f), cache.ErrInvalid)
	}
	f := pending(strings.Repeat("~", cache.MaxKey))
	f.Value, f.Proof = make([]byte, OwnerCap*cache.PlaceSize), bytes.Repeat([]byte{1}, cache.MaxProof)
	f.Owner, f.Validity, f.Interval = strings.Repeat("\xff", cache.MaxKey), 24*time.Hour, cache.MaxInterval
	start(t, h.Store, f)
}

func testInvalidKeys(t *testing.T, h Harness) {
	ctx := t.Context()
	for _, key := range []string{"", "a\x00b", strings.Repeat("k", cache.MaxKey+1)} {
		_, err := h.Store.Flow(ctx, key)
		wantErr(t, "Flow", err, cache.ErrInvalid)
		_, err = h.Store.RedeemFlow(ctx, key, proof, "")
		wantErr(t, "RedeemFlow", err, cache.ErrInvalid)
		_, err = h.Store.PollFlow(ctx, key, proof, "")
		wantErr(t, "PollFlow", err, cache.ErrInvalid)
		wantErr(t, "DeleteFlow", h.Store.DeleteFlow(ctx, key, ""), cache.ErrInvalid)
		wantErr(t, "SetAlias", h.Store.SetAlias(ctx, key, "target", time.Minute), cache.ErrInvalid)
		wantErr(t, "SetAlias", h.Store.SetAlias(ctx, "alias", key, time.Minute), cache.ErrInvalid)
		_, err = h.Store.Alias(ctx, key)
		wantErr(t, "Alias", err, cache.ErrInvalid)
	}
	for _, key := range []string{"", strings.Repeat("k", cache.MaxCounterKey+1)} {
		_, err := h.Store.Add(ctx, cache.Count{Key: key, Limit: 1, Window: time.Minute})
		wantErr(t, "Add", err, cache.ErrInvalid)
		_, err = h.Store.Peek(ctx, cache.Count{Key: key, Limit: 1, Window: time.Minute})
		wantErr(t, "Peek", err, cache.ErrInvalid)
		_, err = h.Store.Once(ctx, key, time.Minute)
		wantErr(t, "Once", err, cache.ErrInvalid)
		wantErr(t, "Forgive", h.Store.Forgive(ctx, key), cache.ErrInvalid)
	}
	_, err := h.Store.Add(ctx, cache.Count{Key: "k", Limit: 0, Window: time.Minute})
	wantErr(t, "Add without a limit", err, cache.ErrInvalid)
	_, err = h.Store.Add(ctx, cache.Count{Key: "k", Limit: 1})
	wantErr(t, "Add without a window", err, cache.ErrInvalid)
	_, err = h.Store.Once(ctx, "k", 0)
	wantErr(t, "Once without a life", err, cache.ErrInvalid)
	wantErr(t, "SetAlias", h.Store.SetAlias(ctx, "a", "b", 25*time.Hour), cache.ErrInvalid)
	start(t, h.Store, ready("code:1"))
	_, err = h.Store.RedeemFlow(ctx, "code:1", make([]byte, cache.MaxProof+1), "")
	wantErr(t, "RedeemFlow", err, cache.ErrInvalid)
	_, err = h.Store.PollFlow(ctx, "code:1", proof, strings.Repeat("o", cache.MaxKey+1))
	wantErr(t, "PollFlow", err, cache.ErrInvalid)
}

func testInvalidTransition(t *testing.T, h Harness) {
	start(t, h.Store, pending("code:1"))
	for name, spoil := range map[string]func(*cache.Transition){
		"long value":        func(c *cache.Transition) { c.Value = make([]byte, cache.MaxValue+1) },
		"long note":         func(c *cache.Transition) { c.Note = make([]byte, cache.MaxValue+1) },
		"long proof":        func(c *cache.Transition) { c.Proof = make([]byte, cache.MaxProof+1) },
		"negative validity": func(c *cache.Transition) { c.Validity = -1 },
		"long validity":     func(c *cache.Transition) { c.Validity = 25 * time.Hour },
		"bad key":           func(c *cache.Transition) { c.Key = "\x7f" },
	} {
		change := cache.Transition{Key: "code:1", From: cache.Pending, To: cache.Ready}
		spoil(&change)
		_, err := h.Store.AdvanceFlow(t.Context(), change)
		wantErr(t, name, err, cache.ErrInvalid)
	}
	wantState(t, h.Store, "code:1", cache.Pending)
}
