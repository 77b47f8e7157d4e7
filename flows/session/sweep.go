package session

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// unusedFor is how long a session is remembered that nobody uses.
const unusedFor = time.Hour

// How many sessions one query of a sweep is about. A hundred thousand whose uses
// are to be recorded take a database the better part of the time that it has
// for an operation, and the sessions of several nodes come due together when it
// was away for a while.
const (
	sweepSize      = 20_000
	leastSweepSize = 2_000
	// touchCost is for how many sessions one counts whose use is recorded.
	touchCost = 4
)

// sweep revalidates all that is due, in one query unless they are very many,
// and forgets what nobody uses.
func (m *Manager) sweep(ctx context.Context) {
	now, interval, epoch := m.clock(), m.settings.Load().Interval, m.epoch.Load()
	var due []*entry
	for _, e := range m.table.all() {
		switch {
		case int64(now) >= e.expires.Load():
			m.finish(e.id, expired, now)
		case now-time.Duration(e.used.Load()) >= unusedFor && !e.pinned.Load():
			m.forget(e)
		case e.due(now, interval, epoch):
			due = append(due, e)
		}
	}
	m.mu.Lock()
	touch := m.touch
	m.touch = nil
	m.mu.Unlock()
	size := m.sweepSize.Load()
	for len(due)+len(touch) > 0 {
		entries, touched := cutSweep(due, touch, int(size))
		if err := m.revalidateSome(ctx, due[:entries], touch[:touched]); err != nil {
			m.putOff(ctx, len(due), touch, err)
			return
		}
		due, touch = due[entries:], touch[touched:]
	}
	m.sweepSize.Store(min(2*size, sweepSize))
}

// cutSweep tells how many of the entries, and of the further sessions to touch,
// go into a query of a size: at least one.
func cutSweep(due []*entry, touch []sessionID, size int) (entries, touched int) {
	touched = min(len(touch), size/touchCost)
	size -= touched * touchCost
	for _, e := range due {
		cost := 1
		if e.touchDue() {
			cost = touchCost
			if e.who.Load().Portal != uuid.Nil {
				cost *= 2 // its sign-in as well
			}
		}
		if size -= cost; size < 0 {
			break
		}
		entries++
	}
	return entries, touched
}

func (m *Manager) revalidateSome(ctx context.Context, due []*entry, touch []sessionID) error {
	ctx, cancel := context.WithTimeout(ctx, sweepTimeout)
	defer cancel()
	return m.revalidate(ctx, due, touch)
}

// putOff leaves to the next tick what the store did not answer. Should it be
// busy and not away, it is asked about fewer at a time then.
func (m *Manager) putOff(ctx context.Context, due int, touch []sessionID, err error) {
	if ctx.Err() != nil {
		return
	}
	m.log.Debug("sessions cannot be revalidated", "sessions", due, "error", err)
	m.sweepSize.Store(max(m.sweepSize.Load()/2, leastSweepSize))
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.touch)+len(touch) <= maxTouch {
		m.touch = append(m.touch, touch...)
	}
}

// forget drops an entry that nobody uses. Its session lives on in the store.
func (m *Manager) forget(e *entry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.table.remove(e) {
		m.evicted(e)
	}
}
