package memory

import (
	"bytes"
	"cmp"
	"context"
	"crypto/subtle"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache"
)

type flow struct {
	state      cache.State
	value      []byte
	proof      []byte
	owner      string
	createdAt  time.Time
	expiresAt  time.Time
	interval   time.Duration
	lastPollAt time.Time // the last that was not too early; zero before the first
	abandoned  [][]byte
	live       bool      // PENDING or READY, and not expired: it counts under the caps
	fresh      bool      // DONE, or READY once more, and not expired
	goneAt     time.Time // when the tombstone of a fresh one is gone
	places     int       // under the caps, while it is live
	note       []byte
	noteUntil  time.Time
}

func (f *flow) expired(now time.Time) bool { return !now.Before(f.expiresAt) }

// matches is false for a flow without a proof: nothing redeems it.
func (f *flow) matches(proof []byte) bool {
	return len(f.proof) > 0 && subtle.ConstantTimeCompare(f.proof, proof) == 1
}

// answer is the flow as it stands. The caller gets a copy of the value, which
// must not change under the store.
func (f *flow) answer(key string, now time.Time) cache.Flow {
	return cache.Flow{
		Key: key, State: f.state, Value: bytes.Clone(f.value),
		CreatedAt: f.createdAt, ExpiresAt: f.expiresAt, Now: now, Interval: f.interval,
		Abandoned: slices.Clone(f.abandoned),
	}
}

// StartFlow implements [cache.Flows].
func (s *Store) StartFlow(ctx context.Context, f cache.NewFlow) error {
	if err := f.Check(); err != nil {
		return err
	}
	now, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer s.mu.Unlock()
	if _, ok := s.flows.get(f.Key); ok {
		return cache.ErrExists
	}
	if f.Owner != "" && s.caps.Owner >= 0 && s.owners[f.Owner]+f.Places() > s.caps.Owner {
		return &cache.FullError{Cap: "owner", Limit: s.caps.Owner}
	}
	if err := s.room(s.live + f.Places() - 1); err != nil {
		return err
	}
	if s.tooMany(s.fresh) { // none of them may be forgotten yet
		return &cache.FullError{Cap: "global", Limit: s.caps.Global}
	}
	s.flows.put(f.Key, now.Add(f.Validity), flow{
		state: f.State, value: bytes.Clone(f.Value), proof: bytes.Clone(f.Proof), owner: f.Owner,
		createdAt: now, expiresAt: now.Add(f.Validity), interval: f.Interval, live: true, places: f.Places(),
	})
	s.live += f.Places()
	if f.Owner != "" {
		s.owners[f.Owner] += f.Places()
	}
	return nil
}

// Flow implements [cache.Flows].
func (s *Store) Flow(ctx context.Context, key string) (cache.Flow, error) {
	if err := cache.CheckKey(key); err != nil {
		return cache.Flow{}, err
	}
	now, err := s.enter(ctx)
	if err != nil {
		return cache.Flow{}, err
	}
	defer s.mu.Unlock()
	it, ok := s.flows.get(key)
	if !ok {
		return cache.Flow{}, cache.ErrNotFound
	}
	f := &it.value
	answer := f.answer(key, now)
	if now.Before(f.noteUntil) {
		answer.Note = bytes.Clone(f.note)
	}
	switch {
	case f.state == cache.Done:
		answer.Value = nil // a redemption alone has it
		return answer, cache.ErrUsed
	case f.state == cache.Error:
		return answer, cache.ErrState
	case f.expired(now):
		return cache.Flow{}, cache.ErrExpired
	}
	return answer, nil
}

// AdvanceFlow implements [cache.Flows].
func (s *Store) AdvanceFlow(ctx context.Context, t cache.Transition) (cache.Flow, error) {
	if err := t.Check(); err != nil {
		return cache.Flow{}, err
	}
	now, err := s.enter(ctx)
	if err != nil {
		return cache.Flow{}, err
	}
	defer s.mu.Unlock()
	it, ok := s.flows.get(t.Key)
	if !ok {
		return cache.Flow{}, cache.ErrNotFound
	}
	f := &it.value
	switch {
	case f.state == cache.Done:
		return cache.Flow{}, cache.ErrUsed
	case f.state == cache.Error:
		return cache.Flow{}, cache.ErrState
	case f.expired(now):
		return cache.Flow{}, cache.ErrExpired
	case f.state != t.From:
		return cache.Flow{}, cache.ErrState
	}
	if t.Validity > 0 {
		f.expiresAt = now.Add(t.Validity)
		s.flows.delay(it, f.expiresAt)
	}
	if t.Proof != nil {
		f.proof = bytes.Clone(t.Proof)
	}
	if t.Note != nil {
		s.setNote(it, t.Note, now)
	}
	f.state = t.To
	if t.Value != nil || t.To == cache.Error {
		f.value = bytes.Clone(t.Value)
	}
	answer := f.answer(t.Key, now)
	switch t.To {
	case cache.Done:
		f.value = nil
		s.finish(it, now)
	case cache.Error:
		s.finish(it, now)
	case cache.Pending, cache.Ready:
	}
	return answer, nil
}

// RedeemFlow implements [cache.Flows].
func (s *Store) RedeemFlow(ctx context.Context, key string, proof []byte, owner string) (cache.Flow, error) {
	return s.redeem(ctx, key, proof, owner, false)
}

// PollFlow implements [cache.Flows].
func (s *Store) PollFlow(ctx context.Context, key string, proof []byte, owner string) (cache.Flow, error) {
	return s.redeem(ctx, key, proof, owner, true)
}

// redeem needs no owner: the flow has its own, and that is the one released.
func (s *Store) redeem(ctx context.Context, key string, proof []byte, owner string, poll bool) (cache.Flow, error) {
	if err := cache.CheckKey(key); err != nil {
		return cache.Flow{}, err
	}
	if err := cache.CheckProof(proof, owner); err != nil {
		return cache.Flow{}, err
	}
	now, err := s.enter(ctx)
	if err != nil {
		return cache.Flow{}, err
	}
	defer s.mu.Unlock()
	it, ok := s.flows.get(key)
	if !ok {
		return cache.Flow{}, cache.ErrNotFound
	}
	f := &it.value
	switch {
	case !f.matches(proof):
		return cache.Flow{}, cache.ErrMismatch
	case f.expired(now) && f.state == cache.Done:
		return cache.Flow{}, cache.ErrUsed
	case f.expired(now):
		return cache.Flow{}, cache.ErrExpired
	case f.state == cache.Done:
		return f.answer(key, now), cache.ErrUsed
	case f.state == cache.Ready:
		if f.value == nil {
			f.value = []byte{} // none is one, too, until it is forgotten
		}
		f.state = cache.Done
		answer := f.answer(key, now)
		s.finish(it, now)
		return answer, nil
	case !poll:
		return cache.Flow{}, cache.ErrState
	case f.state == cache.Pending && f.early(now):
		answer := f.answer(key, now)
		answer.Value, answer.SlowDown = nil, true
		return answer, nil
	}
	return f.answer(key, now), nil
}

// early reports whether a poll came too early, and lets the interval grow then.
// Only a poll in time restarts the interval: otherwise a client that never waits
// longer would never be in time.
func (f *flow) early(now time.Time) bool {
	if f.interval <= 0 {
		return false
	}
	if !f.lastPollAt.IsZero() && now.Before(f.lastPollAt.Add(f.interval-cache.PollTolerance)) {
		f.interval = max(f.interval, min(f.interval+cache.PollStep, cache.MaxSlowedInterval))
		return true
	}
	f.lastPollAt = now
	return false
}

// ReopenFlow implements [cache.Flows].
func (s *Store) ReopenFlow(ctx context.Context, key string, mark []byte) error {
	if err := cmp.Or(cache.CheckKey(key), cache.CheckMark(mark)); err != nil {
		return err
	}
	now, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer s.mu.Unlock()
	it, ok := s.flows.get(key)
	if !ok {
		return cache.ErrNotFound
	}
	f := &it.value
	switch {
	case f.state == cache.Pending, f.state == cache.Error:
		return cache.ErrState
	case f.expired(now):
		return cache.ErrExpired
	case f.state == cache.Done && f.value == nil:
		return cache.ErrUsed
	}
	if len(mark) > 0 && len(f.abandoned) < cache.MaxMarks {
		f.abandoned = append(f.abandoned, bytes.Clone(mark))
	}
	f.state, f.goneAt = cache.Ready, f.expiresAt.Add(cache.Retention)
	s.flows.delay(it, f.expiresAt)
	return nil
}

// finish turns a flow into the tombstone of a finished one.
func (s *Store) finish(it *item[flow], now time.Time) {
	f := &it.value
	s.release(f)
	f.goneAt = now.Add(cache.Retention)
	if f.state == cache.Error { // nothing of it can be redeemed: it may be forgotten at once
		s.settle(f)
		s.flows.delay(it, f.goneAt)
		s.spent.add(it)
		return
	}
	if !f.fresh {
		f.fresh = true
		s.fresh++
	}
	due := f.goneAt
	if f.expiresAt.Before(due) {
		due = f.expiresAt
	}
	s.flows.delay(it, due)
}

// settle notes, once, that a finished flow has expired or is removed.
func (s *Store) settle(f *flow) {
	if f.fresh {
		f.fresh = false
		s.fresh--
	}
}

// release gives a flow's places under the caps back, once.
func (s *Store) release(f *flow) {
	if !f.live {
		return
	}
	f.live = false
	s.live -= f.places
	if f.owner == "" {
		return
	}
	if s.owners[f.owner] -= f.places; s.owners[f.owner] == 0 {
		delete(s.owners, f.owner)
	}
}

// DeleteFlow implements [cache.Flows].
func (s *Store) DeleteFlow(ctx context.Context, key, owner string) error {
	if err := cache.CheckKey(key); err != nil {
		return err
	}
	if err := cache.CheckProof(nil, owner); err != nil {
		return err
	}
	if _, err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if it, ok := s.flows.get(key); ok {
		s.release(&it.value)
		s.settle(&it.value)
		s.remove(it)
	}
	return nil
}
