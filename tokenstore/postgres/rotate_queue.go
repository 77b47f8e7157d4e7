package postgres

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

const (
	// company is how long a rotation that finds another at the database waits at
	// most for others to go with it: they cost the server one statement and one
	// commit. It is longer than a database nearby takes for an answer, and
	// little beside the round trip to a distant one.
	company = 4 * time.Millisecond
	// rotationsAtOnce is how many rotations, or batches of them, a node has at
	// the database at once: half the connections of the pool. Beyond that they
	// wait for longer than company.
	rotationsAtOnce = defaultMaxConns / 2
	// maxTogether bounds a batch.
	maxTogether = 64
)

// rotations sends those that come at the same time in one round trip: the
// first by itself at once, and the others when its answer is there, or they
// have waited for company.
type rotations struct {
	mu      sync.Mutex
	sent    int
	waiting []*waitingRotation
	timed   bool // a timer runs
}

// waitingRotation is one that goes with the next batch, unless whoever asked
// for it has gone: done later, it would be a rotation that nobody learned of.
type waitingRotation struct {
	tokenstore.Rotation
	ctx  context.Context
	row  storedSession
	err  error
	done chan struct{}
}

// enter reports whether the caller may send its rotation now, and must leave
// afterwards. Else it was done, with others, when w.done is closed; someone
// has to call hurry after the time of company then, if timer is true.
func (q *rotations) enter(w *waitingRotation) (now, timer bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.sent == 0 {
		q.sent++
		return true, false
	}
	q.waiting = append(q.waiting, w)
	timer, q.timed = !q.timed, true
	return false, timer
}

// hurry returns the batch of those who have waited long enough, if there is
// room for one more, else nil: then the next to leave takes them along.
func (q *rotations) hurry() []*waitingRotation {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.timed = false
	if q.sent == rotationsAtOnce {
		return nil
	}
	q.sent++
	return q.next()
}

// leave gives the place to those that wait: their batch, or nil.
func (q *rotations) leave() []*waitingRotation {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.next()
}

// next is the batch for a place that is free, which is given up when nobody
// waits.
func (q *rotations) next() []*waitingRotation {
	q.waiting = slices.DeleteFunc(q.waiting, func(w *waitingRotation) bool { return w.ctx.Err() != nil })
	n := min(len(q.waiting), maxTogether)
	if n == 0 {
		q.sent--
		return nil
	}
	batch := q.waiting[:n:n]
	q.waiting = q.waiting[n:]
	return batch
}
