package redis

import (
	"context"
	"strings"
	"sync"

	goredis "github.com/redis/go-redis/v9"

	"github.com/gatehouse-auth/gatehouse/cache"
)

// StartFlow implements [cache.Flows].
func (s *Store) StartFlow(ctx context.Context, f cache.NewFlow) error {
	if err := f.Check(); err != nil {
		return err
	}
	slots := s.slots(f.Owner)
	calls := []call{s.onFlow(flowStart, f.Key, string(f.State), f.Value, f.Proof,
		milliseconds(f.Validity), milliseconds(f.Interval), f.Owner, milliseconds(cache.Retention))}
	for _, slot := range slots {
		calls = append(calls, slot.reserve(f))
	}
	own := len(calls)
	for _, key := range s.ruins.take() {
		calls = append(calls, s.onFlow(flowBury, key))
	}
	replies := s.exchange(ctx, calls)[:own] // what became of the ruins is no matter
	stored, reserved := replies[0].Err() == nil && number(replies[0]) == 1, replies[1:]
	err := s.firstFailure(ctx, replies)
	if err == nil && !stored {
		s.undoReserved(ctx, f, reserved)
		return cache.ErrExists
	}
	s.ruins.add(reserved[len(slots)-1])
	for i, slot := range slots {
		if err == nil && number(reserved[i]) == 0 {
			err = &cache.FullError{Cap: slot.name, Limit: slot.limit}
		}
	}
	if err != nil {
		s.undoStarted(ctx, f, stored, reserved)
	}
	return err
}

// undoStarted removes a flow that did not get both its slots, or of which that
// is not known.
func (s *Store) undoStarted(ctx context.Context, f cache.NewFlow, stored bool, reserved []*goredis.Cmd) {
	var calls []call
	if stored {
		calls = append(calls, s.onFinished(flowDelete, f.Key))
	}
	for i, slot := range s.slots(f.Owner) {
		if reserved[i].Err() == nil && (number(reserved[i]) == 1 || stored) {
			calls = append(calls, slot.release(f.Key, false))
		}
	}
	s.settle(ctx, calls...)
}

// undoReserved releases the slots of a flow whose key was taken, but for those
// that the flow under that key holds: of two that start it at once, the loser
// may have come first to the caps.
func (s *Store) undoReserved(ctx context.Context, f cache.NewFlow, reserved []*goredis.Cmd) {
	if !anyChanged(reserved) {
		return
	}
	var holder verdict
	if replies, err := s.run(ctx, s.onFlow(flowRead, f.Key)); err == nil {
		holder, _ = parseVerdict(f.Key, replies[0])
	}
	var calls []call
	for i, slot := range s.slots(f.Owner) {
		held := holder.live() && (slot.name == "global" || holder.owner == f.Owner)
		if number(reserved[i]) == 1 && !held {
			calls = append(calls, slot.release(f.Key, false))
		}
	}
	s.settle(ctx, calls...)
}

// How many ruins are remembered, and buried by one start.
const (
	maxRuins     = 1024
	ruinsAtATime = 16
)

// ruins are flows that expired unfinished and still hold their values, as the
// caps have told. Their values are forgotten along with starting others, so
// that a flood of abandoned sign-ins costs the server a tombstone each, and not
// a value, for [cache.Retention].
type ruins struct {
	mu   sync.Mutex
	keys []string
}

// add takes the answer of the global cap.
func (r *ruins) add(reserved *goredis.Cmd) {
	fields, err := reserved.Slice()
	if err != nil || len(fields) < 2 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, field := range fields[1:] {
		if key, ok := field.(string); ok && len(r.keys) < maxRuins && !strings.Contains(key, extraPlace) {
			r.keys = append(r.keys, key)
		}
	}
}

func (r *ruins) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := min(len(r.keys), ruinsAtATime)
	taken := r.keys[:n:n]
	r.keys = r.keys[n:]
	return taken
}
