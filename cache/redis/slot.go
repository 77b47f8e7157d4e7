package redis

import (
	"context"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/gatehouse-auth/gatehouse/cache"
)

// slot is a place under a cap: of an owner, or in all.
type slot struct {
	key, name string
	limit     int
}

// A flow that takes several places under a cap is in its set under several names: its
// key, and that with extraPlace and a number, which no key has.
const extraPlace = "\x01"

// placesOf is how many places were released or renewed, at most.
func placesOf(released []*goredis.Cmd) int64 {
	most := int64(1)
	for _, reply := range released {
		if fields, err := reply.Slice(); err == nil && len(fields) > 1 {
			places, _ := fields[1].(int64)
			most = max(most, places)
		}
	}
	return most
}

// slots are the owner's, which is judged first, and the global one.
func (s *Store) slots(owner string) []slot {
	global := slot{"live", "global", s.caps.Global}
	if owner == "" {
		return []slot{global}
	}
	return []slot{s.ownerSlot(owner), global}
}

func (s *Store) ownerSlot(owner string) slot {
	return slot{"o:" + owner, "owner", s.caps.Owner}
}

func (t slot) reserve(f cache.NewFlow) call {
	return call{
		script: slotReserve,
		keys:   []string{t.key},
		args:   []any{f.Key, milliseconds(f.Validity), t.limit, flag(f.State == cache.Ready), f.Places()},
	}
}

func (t slot) release(flow string, onlyReady bool) call {
	return call{script: slotRelease, keys: []string{t.key}, args: []any{flow, flag(onlyReady), cache.MaxPlaces}}
}

func (t slot) renew(flow string, validity time.Duration, ready bool) call {
	return call{script: slotRenew, keys: []string{t.key}, args: []any{flow, milliseconds(validity), flag(ready), cache.MaxPlaces}}
}

// settleFinished releases what the finishing pipeline has not: a slot that was
// not marked READY, and the slot of an owner whom the caller did not name.
func (s *Store) settleFinished(ctx context.Context, key, owner string, v verdict, released []*goredis.Cmd) {
	var calls []call
	for i, slot := range s.slots(owner) {
		if released[i].Err() != nil || number(released[i]) == 0 {
			calls = append(calls, slot.release(key, false))
		}
	}
	if v.owner != owner && v.owner != "" {
		calls = append(calls, s.ownerSlot(v.owner).release(key, false))
	}
	s.settle(ctx, calls...)
}

// giveBack restores the slots of a flow that goes on living. If it was finished
// meanwhile by another, whose release came before, they are released again:
// whoever finishes it later than our look releases after our restoring.
func (s *Store) giveBack(ctx context.Context, key string, v verdict, released []*goredis.Cmd) {
	var restore, release []call
	for _, slot := range s.slots(v.owner) {
		restore = append(restore, call{
			script: slotRestore,
			keys:   []string{slot.key},
			args:   []any{key, v.flow.ExpiresAt.UnixMilli(), flag(v.flow.State == cache.Ready), placesOf(released)},
		})
		release = append(release, slot.release(key, false))
	}
	s.settle(ctx, restore...)
	if now, err := s.Flow(ctx, key); err != nil || !(verdict{flow: now}).live() {
		s.settle(ctx, release...)
	}
}

// settle puts the caps right after the answer is known. It does so even when
// the caller has gone; if the server has, slots end with their flows' validity.
func (s *Store) settle(ctx context.Context, calls ...call) {
	if len(calls) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ioTimeout)
	defer cancel()
	_, _ = s.run(ctx, calls...)
}

// anyChanged reports whether a slot was released or renewed.
func anyChanged(replies []*goredis.Cmd) bool {
	for _, reply := range replies {
		if reply.Err() == nil && number(reply) == 1 {
			return true
		}
	}
	return false
}
