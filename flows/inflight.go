package flows

import (
	"context"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

// inFlight counts the passwords and user codes that this node is checking at this
// moment, so that a burst of guesses cannot all be let in before the first has
// failed and been counted.
type inFlight struct {
	mu     sync.Mutex
	checks map[string]int
}

// enter notes a check under each of its counters, before the counters are read,
// and returns how many there are with it. leave is called when a failure has
// been counted: so each other check is in the counter, or in these numbers.
func (f *inFlight) enter(counts []cache.Count) (with []int, leave func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.checks == nil {
		f.checks = make(map[string]int)
	}
	for _, c := range counts {
		f.checks[c.Key]++
		with = append(with, f.checks[c.Key])
	}
	return with, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, c := range counts {
			if f.checks[c.Key]--; f.checks[c.Key] <= 0 {
				delete(f.checks, c.Key)
			}
		}
	}
}

// overWith reports whether a check could be one beyond a limit, if all that are
// under way fail.
func overWith(counts []cache.Count, failed []cache.Throttle, with []int) bool {
	for i, c := range counts {
		if failed[i].Count+with[i] > c.Limit {
			return true
		}
	}
	return false
}

// turns is how often, with growing pauses, a check waits for those before it:
// about five seconds in all.
const turns = 12

// turn waits until a check can be let in and returns the counters; leave must be
// called whatever the error. provider.ErrBusy: too many are under way.
func (g *Gateway) turn(ctx context.Context, counts []cache.Count) (throttles []cache.Throttle, leave func(), err error) {
	pause := 10 * time.Millisecond
	for range turns {
		with, leave := g.checking.enter(counts)
		throttles, err := g.Cache.Peek(ctx, counts...)
		if err != nil || longest(throttles) > 0 || !overWith(counts, throttles, with) {
			return throttles, leave, err
		}
		leave()
		select {
		case <-ctx.Done():
			return nil, func() {}, provider.ErrBusy
		case <-time.After(pause):
		}
		pause = min(2*pause, time.Second)
	}
	return nil, func() {}, provider.ErrBusy
}
