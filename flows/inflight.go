package flows

import (
	"sync"

	"github.com/gatehouse-auth/gatehouse/cache"
)

// inFlight counts the passwords that this node is checking at this moment, so
// that a burst of guesses cannot all be let in before the first has failed and
// been counted.
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

// overWith tells whether a check could be one beyond a limit, if all that are
// under way fail.
func overWith(counts []cache.Count, failed []cache.Throttle, with []int) bool {
	for i, c := range counts {
		if failed[i].Count+with[i] > c.Limit {
			return true
		}
	}
	return false
}
