package memory

import (
	"time"

	"github.com/gatehouse-auth/gatehouse/cache"
)

// minTombstones is how many of a kind are kept however low the global cap is.
const minTombstones = 1000

// tooMany reports whether tombstones of a kind are more than are kept.
func (s *Store) tooMany(tombstones int) bool {
	return s.caps.Global >= 0 && tombstones >= max(s.caps.Global, minTombstones)
}

// expireFlows turns flows whose validity has passed into tombstones and
// forgets tombstones whose time has passed, or the oldest of too many. The
// tombstone of a finished flow is what tells a code that is used again, while it
// could be used at all, from one of nobody: it is not forgotten before the flow's
// validity has passed. See [Store.StartFlow] for what happens when these are too
// many.
func (s *Store) expireFlows(now time.Time) {
	for it, ok := s.flows.next(now); ok; it, ok = s.flows.next(now) {
		f := &it.value
		switch {
		case f.live:
			s.release(f)
			f.value = nil
			s.flows.delay(it, f.expiresAt.Add(cache.Retention))
			s.ruins.add(it)
		case f.fresh && now.Before(f.goneAt):
			s.settle(f)
			f.value = nil
			s.flows.delay(it, f.goneAt)
			s.spent.add(it)
		default:
			s.settle(f)
			s.remove(it)
		}
	}
	s.forget(&s.ruins)
	s.forget(&s.spent)
	s.expireNotes(now)
}

// forget removes the oldest of too many tombstones.
func (s *Store) forget(of *tombstones) {
	of.trim(func(oldest *item[flow]) bool {
		if s.flows.items[oldest.key] != oldest {
			return true
		}
		if !s.tooMany(len(of.items) - 1) {
			return false
		}
		s.remove(oldest)
		return true
	})
}

// tombstones of one kind, the oldest first, some of which may have been
// forgotten since.
type tombstones struct{ items []*item[flow] }

func (t *tombstones) add(it *item[flow]) { t.items = append(t.items, it) }

// trim drops the oldest for as long as drop says so.
func (t *tombstones) trim(drop func(oldest *item[flow]) bool) {
	for len(t.items) > 0 && drop(t.items[0]) {
		t.items[0] = nil
		t.items = t.items[1:]
	}
}
