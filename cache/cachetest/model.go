package cachetest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gatehouse-auth/gatehouse/cache"
)

// modelSteps is how many steps one run of the model has. rapid makes 100 runs
// unless told otherwise, so that a suite takes 10,000 steps.
const modelSteps = 100

// The model's times are chosen so that no deadline is near to a moment at which
// it is judged: real time goes on while the model runs.
var (
	modelLeaps      = []time.Duration{50 * time.Second, 500 * time.Second, 5000 * time.Second, cache.Retention}
	modelValidities = []time.Duration{120 * time.Second, 1020 * time.Second, 72_020 * time.Second}
	modelIntervals  = []time.Duration{0, 22_500 * time.Millisecond}
	modelValues     = [][]byte{nil, binary, binary, binary, bytes.Repeat(binary, cache.PlaceSize/len(binary)+1), make([]byte, 3*cache.PlaceSize)}
)

// testModel drives the store and a simple model of it with the same random
// steps and compares every answer.
func testModel(t *testing.T, h Harness) {
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		m := &model{h: h, ctx: t, flows: map[string]*modelFlow{}}
		m.keys = make([]string, GlobalCap+4)
		for i := range m.keys {
			m.keys[i] = fmt.Sprintf("model:%d:%d", run, i)
		}
		defer m.clear()
		for range modelSteps {
			m.step(rt)
		}
	})
	wantFree(t, h.Store, "", GlobalCap)
	wantFree(t, h.Store, "a", OwnerCap)
	wantFree(t, h.Store, "b", OwnerCap)
}

// model is what a store should hold, with the plainest of means.
type model struct {
	h     Harness
	ctx   testing.TB
	now   time.Duration
	keys  []string
	flows map[string]*modelFlow
}

type modelFlow struct {
	cache.NewFlow
	places        int
	expires, gone time.Duration
	polled        bool
	lastPoll      time.Duration
	kept          []byte // the value, once it was redeemed
	given         bool   // it was redeemed
	free          bool   // it was reopened, and counts no more
	Abandoned     [][]byte
}

func (f *modelFlow) live(now time.Duration) bool {
	return (f.State == cache.Pending || f.State == cache.Ready) && now < f.expires && !f.free
}

// step draws one call, and which node it goes to.
func (m *model) step(rt *rapid.T) {
	key := rapid.SampledFrom(m.keys).Draw(rt, "key")
	node := m.h.nodes()[rapid.IntRange(0, len(m.h.nodes())-1).Draw(rt, "node")]
	owner := rapid.SampledFrom([]string{"", "a", "b"}).Draw(rt, "owner")
	given := rapid.SampledFrom([][]byte{proof, proof, proof, wrong, nil}).Draw(rt, "proof")
	switch rapid.SampledFrom([]string{"start", "start", "read", "advance", "advance", "redeem", "poll", "poll", "reopen", "delete", "leap"}).Draw(rt, "step") {
	case "start":
		f := cache.NewFlow{
			Key: key, Owner: owner, Proof: given,
			State:    rapid.SampledFrom([]cache.State{cache.Pending, cache.Ready}).Draw(rt, "state"),
			Value:    rapid.SampledFrom(modelValues).Draw(rt, "value"),
			Validity: rapid.SampledFrom(modelValidities).Draw(rt, "validity"),
			Interval: rapid.SampledFrom(modelIntervals).Draw(rt, "interval"),
		}
		compare(rt, "StartFlow", nil, nil, node.StartFlow(m.ctx.Context(), f), m.start(f))
	case "read":
		got, err := node.Flow(m.ctx.Context(), key)
		want, wantErr := m.read(key)
		compare(rt, "Flow", &got, want, err, wantErr)
	case "advance":
		c := cache.Transition{
			Key: key, Owner: owner,
			From:     rapid.SampledFrom([]cache.State{cache.Pending, cache.Pending, cache.Ready}).Draw(rt, "from"),
			To:       rapid.SampledFrom([]cache.State{cache.Ready, cache.Ready, cache.Done, cache.Error}).Draw(rt, "to"),
			Validity: rapid.SampledFrom(append([]time.Duration{0, 0}, modelValidities...)).Draw(rt, "validity"),
			Value:    rapid.SampledFrom([][]byte{nil, {}, []byte("new")}).Draw(rt, "value"),
			Proof:    rapid.SampledFrom([][]byte{nil, proof}).Draw(rt, "new proof"),
		}
		got, err := node.AdvanceFlow(m.ctx.Context(), c)
		want, wantErr := m.advance(c)
		compare(rt, "AdvanceFlow", &got, want, err, wantErr)
	case "redeem":
		got, err := node.RedeemFlow(m.ctx.Context(), key, given, owner)
		want, wantErr := m.redeem(key, given, false)
		compare(rt, "RedeemFlow", &got, want, err, wantErr)
	case "poll":
		got, err := node.PollFlow(m.ctx.Context(), key, given, owner)
		want, wantErr := m.redeem(key, given, true)
		compare(rt, "PollFlow", &got, want, err, wantErr)
	case "reopen":
		mark := rapid.SampledFrom([][]byte{nil, markA, markB}).Draw(rt, "mark")
		compare(rt, "ReopenFlow", nil, nil, node.ReopenFlow(m.ctx.Context(), key, mark), m.reopen(key, mark))
	case "delete":
		compare(rt, "DeleteFlow", nil, nil, node.DeleteFlow(m.ctx.Context(), key, owner), nil)
		delete(m.flows, key)
	case "leap":
		d := rapid.SampledFrom(modelLeaps).Draw(rt, "leap")
		m.h.Advance(d)
		m.now += d
	}
}

func (m *model) find(key string) *modelFlow {
	f := m.flows[key]
	if f == nil || m.now >= f.gone {
		delete(m.flows, key)
		return nil
	}
	return f
}

func (m *model) start(n cache.NewFlow) error {
	if m.find(n.Key) != nil {
		return cache.ErrExists
	}
	mine, all := 0, 0
	for _, f := range m.flows {
		if f.live(m.now) {
			all += f.places
			if f.Owner == n.Owner {
				mine += f.places
			}
		}
	}
	if (n.Owner != "" && mine+n.Places() > OwnerCap) || all+n.Places() > GlobalCap {
		return cache.ErrFull
	}
	expires := m.now + n.Validity
	m.flows[n.Key] = &modelFlow{NewFlow: n, places: n.Places(), expires: expires, gone: expires + cache.Retention}
	return nil
}

func (m *model) read(key string) (*modelFlow, error) {
	f := m.find(key)
	switch {
	case f == nil:
		return nil, cache.ErrNotFound
	case f.State == cache.Done:
		return f, cache.ErrUsed
	case f.State == cache.Error:
		return f, cache.ErrState
	case m.now >= f.expires:
		return nil, cache.ErrExpired
	}
	return f, nil
}

func (m *model) advance(c cache.Transition) (*modelFlow, error) {
	f, err := m.read(c.Key)
	if err != nil {
		return nil, err
	}
	if f.State != c.From {
		return nil, cache.ErrState
	}
	f.State = c.To
	if c.Proof != nil {
		f.Proof = c.Proof
	}
	if c.Value != nil || c.To == cache.Error {
		f.Value = c.Value
	}
	if c.Validity > 0 {
		f.expires = m.now + c.Validity
		f.gone = f.expires + cache.Retention
	}
	if c.To == cache.Done {
		// Nothing redeemed it this time, whatever was before it was reopened.
		f.kept, f.given = nil, false
	}
	return m.answer(f), nil
}

// answer is a copy as the caller gets it, before a finished flow forgets.
func (m *model) answer(f *modelFlow) *modelFlow {
	answer := *f
	if f.State == cache.Done {
		f.Value = nil
	}
	if f.State == cache.Done || f.State == cache.Error {
		f.gone = m.now + cache.Retention
	}
	return &answer
}

func (m *model) redeem(key string, given []byte, poll bool) (*modelFlow, error) {
	f := m.find(key)
	switch {
	case f == nil:
		return nil, cache.ErrNotFound
	case len(f.Proof) == 0 || !bytes.Equal(f.Proof, given):
		return nil, cache.ErrMismatch
	case m.now >= f.expires && f.State == cache.Done:
		return nil, cache.ErrUsed
	case m.now >= f.expires:
		return nil, cache.ErrExpired
	case f.State == cache.Done:
		answer := *f
		answer.Value = f.kept
		return &answer, cache.ErrUsed
	case f.State == cache.Ready:
		f.State = cache.Done
		f.kept, f.given = f.Value, true
		return m.answer(f), nil
	case !poll:
		return nil, cache.ErrState
	}
	if f.State == cache.Pending && f.Interval > 0 {
		if f.polled && m.now < f.lastPoll+f.Interval-cache.PollTolerance {
			f.Interval = max(f.Interval, min(f.Interval+cache.PollStep, cache.MaxSlowedInterval))
			answer := *f
			answer.Value = nil
			return &answer, nil
		}
		f.polled, f.lastPoll = true, m.now
	}
	return f, nil
}

func (m *model) reopen(key string, mark []byte) error {
	f := m.find(key)
	switch {
	case f == nil:
		return cache.ErrNotFound
	case f.State == cache.Pending, f.State == cache.Error:
		return cache.ErrState
	case m.now >= f.expires:
		return cache.ErrExpired
	case f.State == cache.Done && !f.given:
		return cache.ErrUsed
	}
	if f.State == cache.Done {
		f.State, f.Value, f.free = cache.Ready, f.kept, true
		f.gone = f.expires + cache.Retention
	}
	if mark != nil {
		f.Abandoned = append(f.Abandoned, mark)
	}
	return nil
}

// clear leaves the store as empty as it was.
func (m *model) clear() {
	for _, key := range m.keys {
		if err := m.h.Store.DeleteFlow(m.ctx.Context(), key, ""); err != nil {
			m.ctx.Errorf("DeleteFlow = %v", err)
		}
	}
}

// compare fails the run unless the answers are the same.
func compare(rt *rapid.T, what string, got *cache.Flow, want *modelFlow, err, wantErr error) {
	if !errors.Is(err, wantErr) || (err == nil) != (wantErr == nil) {
		rt.Fatalf("%s = %v, the model says %v", what, err, wantErr)
	}
	if want == nil {
		return
	}
	if got.State != want.State || !bytes.Equal(got.Value, want.Value) || got.Interval != want.Interval ||
		!slices.EqualFunc(got.Abandoned, want.Abandoned, bytes.Equal) {
		rt.Fatalf("%s = %+v, the model says %+v", what, *got, want.NewFlow)
	}
}
