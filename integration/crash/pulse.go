package crash

import (
	"context"
	"sync"
	"time"
)

const (
	// beat is the time between two beats of a [Pulse].
	beat = 10 * time.Millisecond
	// late is how much later than that a beat may come on a machine that has
	// time for everybody.
	late = 50 * time.Millisecond
)

// Pulse knows when the machine stood still: when a goroutine that had only to
// wake up did not get a turn. A rule that allows a second means one in which the
// processes ran; a machine of two cores that builds something beside can keep
// all of them waiting for as long. The zero Pulse knows of no such time.
type Pulse struct {
	mu    sync.Mutex
	gaps  []gap
	total time.Duration
}

type gap struct{ from, to time.Time }

// Run beats until ctx ends.
func (p *Pulse) Run(ctx context.Context) {
	ticks := time.NewTicker(beat)
	defer ticks.Stop()
	for last := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		now := time.Now()
		p.note(last.Add(beat), now)
		last = now
	}
}

// note has a beat that was due at one moment come at another.
func (p *Pulse) note(due, came time.Time) {
	if came.Sub(due) <= late {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gaps = append(p.gaps, gap{due, came})
	p.total += came.Sub(due)
}

// Ran is how much of the time between two moments the machine ran.
func (p *Pulse) Ran(from, to time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	ran := to.Sub(from)
	for _, g := range p.gaps {
		begin, end := g.from, g.to
		if begin.Before(from) {
			begin = from
		}
		if end.After(to) {
			end = to
		}
		ran -= max(0, end.Sub(begin))
	}
	return ran
}

// Stood is how long the machine stood still in all.
func (p *Pulse) Stood() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.total
}
