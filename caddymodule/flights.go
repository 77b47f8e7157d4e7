package caddymodule

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// sweepPace is how often the answers under way are looked at. One that is met
// twice has run for at least so long, and for at most twice as long without being
// watched: together well within the second in which a revocation must count.
const sweepPace = 250 * time.Millisecond

// flightShards keeps requests from waiting for each other. A power of two.
const flightShards = 32

// flights are the answers under way. Most end before anybody looks at them; these
// cost two short critical sections and no allocation. Those that go on are watched
// from then on. The zero value is ready.
//
// What an answer is cannot be told when it begins: a list of log lines that never
// ends looks like one that does. So none is told apart by its type.
type flights struct {
	shards [flightShards]flightShard
	// closed has answers watched from their beginning: nobody sweeps any more.
	closed atomic.Bool
}

type flightShard struct {
	mu sync.Mutex
	// young are not watched yet; old are.
	young, old flightList
	_          [64]byte // two shards' locks never share a cache line
}

// flightList is a doubly linked list whose links are in the answers.
type flightList struct{ first *answer }

func (l *flightList) add(a *answer) {
	a.next, a.prev = l.first, nil
	if l.first != nil {
		l.first.prev = a
	}
	l.first = a
}

func (l *flightList) remove(a *answer) {
	if a.prev != nil {
		a.prev.next = a.next
	} else {
		l.first = a.next
	}
	if a.next != nil {
		a.next.prev = a.prev
	}
	a.next, a.prev = nil, nil
}

// add takes note of an answer that begins.
func (f *flights) add(a *answer) {
	a.shard = &f.shards[rand.Uint32()%flightShards] //nolint:gosec // to spread, not to hide
	a.shard.mu.Lock()
	a.shard.young.add(a)
	a.shard.mu.Unlock()
	if f.closed.Load() {
		f.watchAll()
	}
}

// remove forgets an answer that has ended, and reports whether it was watched.
func (a *answer) remove() (watched bool) {
	s := a.shard
	s.mu.Lock()
	watched = a.watched
	if watched {
		s.old.remove(a)
	} else {
		s.young.remove(a)
	}
	s.mu.Unlock()
	return watched
}

// run sweeps until ctx ends.
func (f *flights) run(ctx context.Context) {
	ticker := time.NewTicker(sweepPace)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			f.sweep()
		}
	}
}

// sweep has those watched that it met before, and looks after those that are.
func (f *flights) sweep() {
	for i := range f.shards {
		grown, old := f.shards[i].sweep(false)
		for _, a := range old {
			a.lookAfter()
		}
		for _, a := range grown {
			a.watch()
		}
	}
}

// watchAll has every answer watched, however young.
func (f *flights) watchAll() {
	for i := range f.shards {
		grown, _ := f.shards[i].sweep(true)
		for _, a := range grown {
			a.watch()
		}
	}
}

// close is called when nobody will sweep any more.
func (f *flights) close() {
	f.closed.Store(true)
	f.watchAll()
}

// sweep returns those that are to be watched from now on, and those that were
// watched already. What is done with them may take locks of others, so it is not
// done here.
func (s *flightShard) sweep(all bool) (grown, old []*answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for a := s.old.first; a != nil; a = a.next {
		old = append(old, a)
	}
	for a := s.young.first; a != nil; {
		next := a.next
		if a.met || all {
			s.young.remove(a)
			s.old.add(a)
			a.watched = true
			grown = append(grown, a)
		}
		a.met = true
		a = next
	}
	return grown, old
}
