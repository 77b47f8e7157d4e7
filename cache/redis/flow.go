package redis

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"github.com/gatehouse-auth/gatehouse/cache"
)

func (s *Store) onFlow(script *script, key string, args ...any) call {
	return call{script: script, keys: []string{"f:" + key}, args: args}
}

// onFinished is onFlow for a script that needs the value of a finished flow as
// well. That is a key of its own, in the slot of the flow's, since it goes with
// the flow's validity and the tombstone stays.
func (s *Store) onFinished(script *script, key string, args ...any) call {
	c := s.onFlow(script, key, args...)
	c.beside = beside(s.prefix, c.keys[0], "/value")
	return c
}

// onNoted is onFlow for a script that needs the flow's note as well, which is a key
// of its own, since it goes before the tombstone.
func (s *Store) onNoted(script *script, key string, args ...any) call {
	c := s.onFlow(script, key, args...)
	c.beside = beside(s.prefix, c.keys[0], "/note")
	return c
}

// beside returns a key that a cluster keeps in the slot of the given one.
func beside(prefix, key, end string) string {
	full := prefix + key
	if _, rest, ok := strings.Cut(full, "{"); ok && strings.Index(rest, "}") > 0 {
		return key + end // the hash tag that it has decides
	}
	return "{" + full + "}" + end
}

// Flow implements [cache.Flows].
func (s *Store) Flow(ctx context.Context, key string) (cache.Flow, error) {
	if err := cache.CheckKey(key); err != nil {
		return cache.Flow{}, err
	}
	replies, err := s.run(ctx, s.onNoted(flowRead, key))
	if err != nil {
		return cache.Flow{}, err
	}
	v, err := parseVerdict(key, replies[0])
	if err != nil {
		return cache.Flow{}, err
	}
	return v.tombstone()
}

// AdvanceFlow implements [cache.Flows].
func (s *Store) AdvanceFlow(ctx context.Context, t cache.Transition) (cache.Flow, error) {
	if err := t.Check(); err != nil {
		return cache.Flow{}, err
	}
	calls := []call{s.onNoted(flowAdvance, t.Key, string(t.From), string(t.To),
		flag(t.Value != nil), t.Value, flag(t.Proof != nil), t.Proof,
		milliseconds(t.Validity), milliseconds(cache.Retention), t.Note, milliseconds(cache.NoteLife))}
	finishes := t.To == cache.Done || t.To == cache.Error
	renews := !finishes && (t.To != t.From || t.Validity > 0)
	slots := s.slots(t.Owner)
	for _, slot := range slots {
		switch {
		case finishes:
			calls = append(calls, slot.release(t.Key, t.From == cache.Ready))
		case renews:
			calls = append(calls, slot.renew(t.Key, t.Validity, t.To == cache.Ready))
		}
	}
	replies, err := s.run(ctx, calls...)
	v, parseErr := parseVerdict(t.Key, replies[0])
	if parseErr != nil {
		return cache.Flow{}, cmp.Or(err, parseErr)
	}
	switch {
	case v.finished():
		s.settleFinished(ctx, t.Key, t.Owner, v, replies[1:])
	case v.err != nil && v.live() && anyChanged(replies[1:]):
		s.giveBack(ctx, t.Key, v, replies[1:])
	case v.err == nil && renews && v.owner != t.Owner && v.owner != "":
		s.settle(ctx, s.ownerSlot(v.owner).renew(t.Key, t.Validity, t.To == cache.Ready))
	}
	return v.result()
}

// RedeemFlow implements [cache.Flows].
func (s *Store) RedeemFlow(ctx context.Context, key string, proof []byte, owner string) (cache.Flow, error) {
	return s.redeem(ctx, key, proof, owner, false)
}

// PollFlow implements [cache.Flows].
func (s *Store) PollFlow(ctx context.Context, key string, proof []byte, owner string) (cache.Flow, error) {
	return s.redeem(ctx, key, proof, owner, true)
}

func (s *Store) redeem(ctx context.Context, key string, proof []byte, owner string, poll bool) (cache.Flow, error) {
	if err := cache.CheckKey(key); err != nil {
		return cache.Flow{}, err
	}
	if err := cache.CheckProof(proof, owner); err != nil {
		return cache.Flow{}, err
	}
	calls := []call{s.onFinished(flowRedeem, key, proof, flag(poll), milliseconds(cache.Retention),
		milliseconds(cache.PollStep), milliseconds(cache.PollTolerance), milliseconds(cache.MaxSlowedInterval))}
	for _, slot := range s.slots(owner) {
		calls = append(calls, slot.release(key, true))
	}
	replies, err := s.run(ctx, calls...)
	v, parseErr := parseVerdict(key, replies[0])
	if parseErr != nil {
		return cache.Flow{}, cmp.Or(err, parseErr)
	}
	switch {
	case v.finished() && v.flow.State == cache.Done:
		s.settleFinished(ctx, key, owner, v, replies[1:])
	case v.live() && anyChanged(replies[1:]):
		s.giveBack(ctx, key, v, replies[1:])
	}
	if errors.Is(v.err, cache.ErrUsed) {
		return v.flow, v.err
	}
	return v.result()
}

// ReopenFlow implements [cache.Flows].
func (s *Store) ReopenFlow(ctx context.Context, key string, mark []byte) error {
	if err := cmp.Or(cache.CheckKey(key), cache.CheckMark(mark)); err != nil {
		return err
	}
	replies, err := s.run(ctx, s.onFinished(flowReopen, key, mark, cache.MaxMarks*cache.MarkSize, milliseconds(cache.Retention)))
	if err != nil {
		return err
	}
	v, err := parseVerdict(key, replies[0])
	if err != nil {
		return err
	}
	return v.err
}

// DeleteFlow implements [cache.Flows].
func (s *Store) DeleteFlow(ctx context.Context, key, owner string) error {
	if err := cache.CheckKey(key); err != nil {
		return err
	}
	if err := cache.CheckProof(nil, owner); err != nil {
		return err
	}
	calls := []call{s.onFinished(flowDelete, key)}
	for _, slot := range s.slots(owner) {
		calls = append(calls, slot.release(key, false))
	}
	replies, err := s.run(ctx, calls...)
	if err != nil {
		return err
	}
	if actual, _ := replies[0].Text(); actual != owner && actual != "" {
		s.settle(ctx, s.ownerSlot(actual).release(key, false))
	}
	return nil
}
