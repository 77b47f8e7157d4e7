package memory

import (
	"time"

	"github.com/gatehouse-auth/gatehouse/cache"
)

// minRuins is how many flows that expired unfinished are remembered however low
// the global cap is.
const minRuins = 1000

// expireFlows turns flows whose validity has passed into tombstones and
// forgets tombstones whose time has passed.
func (s *Store) expireFlows(now time.Time) {
	for it, ok := s.flows.next(now); ok; it, ok = s.flows.next(now) {
		if !it.value.live {
			s.flows.remove(it)
			continue
		}
		s.release(&it.value)
		it.value.value = nil
		s.flows.delay(it, it.value.expiresAt.Add(cache.Retention))
		s.ruins.add(it)
	}
	s.ruins.trim(func(oldest *item[flow]) bool {
		if s.flows.items[oldest.key] != oldest {
			return true
		}
		if s.caps.Global < 0 || len(s.ruins.items) <= max(s.caps.Global, minRuins) {
			return false
		}
		s.flows.remove(oldest)
		return true
	})
}

// ruins are the flows that expired unfinished, the oldest first, some of which
// may have been forgotten since.
type ruins struct{ items []*item[flow] }

func (r *ruins) add(it *item[flow]) { r.items = append(r.items, it) }

// trim drops the oldest for as long as drop says so.
func (r *ruins) trim(drop func(oldest *item[flow]) bool) {
	for len(r.items) > 0 && drop(r.items[0]) {
		r.items[0] = nil
		r.items = r.items[1:]
	}
}
