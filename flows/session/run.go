package session

import (
	"context"
	"sync"
	"time"
)

// longestPace is the longest time between two ticks.
const longestPace = 5 * time.Second

// Run does the background work until ctx ends: it listens to the announcements
// of other nodes and revalidates what is known. It returns nil when all of it
// has stopped. Without it sessions still work, but a request has to wait
// wherever a revalidation is due.
func (m *Manager) Run(ctx context.Context) error {
	var work sync.WaitGroup
	defer work.Wait()
	m.outage.want(true)
	work.Go(func() { m.listen(ctx) })
	work.Go(func() { m.payDebts(ctx) })
	work.Go(func() { m.endOnTime(ctx) })
	for {
		m.tick(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-m.kick:
		case <-time.After(m.pace()):
		}
	}
}

// pace is the time between ticks: an eighth of the interval, so that what
// comes due at half of it is checked well within it; and at most five seconds,
// so that what expires does not linger.
func (m *Manager) pace() time.Duration {
	return max(10*time.Millisecond, min(m.settings.Load().Interval/8, longestPace))
}

// tick is one round of the background work.
func (m *Manager) tick(ctx context.Context) {
	m.mu.Lock()
	m.endings.expire(m.clock())
	m.mu.Unlock()
	if m.outage.pending() {
		m.makeGood(ctx)
	}
	if m.debts.owing() {
		m.remind()
	}
	m.sweep(ctx)
	m.watchOver(ctx)
}
