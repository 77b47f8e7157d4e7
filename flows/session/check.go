package session

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// checks gathers the entries that requests wait for: while one query runs, the
// next one fills.
type checks struct {
	mu      sync.Mutex
	running *batch
	next    *batch
	busy    bool
}

type batch struct {
	entries map[sessionID]*entry
	epoch   uint64
	done    chan struct{}
	err     error
}

// check asks the store about one entry, together with all others that are
// asked for at the time and at most once for each.
func (m *Manager) check(ctx context.Context, e *entry, counts bool) error {
	if counts {
		e.asked.Store(int64(m.clock()))
	}
	b := m.enlist(e)
	if b == nil {
		return nil
	}
	select {
	case <-b.done:
		return b.err
	case <-ctx.Done():
		return unavailable(context.Cause(ctx))
	}
}

// probe has an entry checked that nobody waits for, at most once in a moment.
func (m *Manager) probe(e *entry) {
	if now, last := int64(m.clock()), m.outage.probed.Load(); now-last >= int64(moment) && m.outage.probed.CompareAndSwap(last, now) {
		m.enlist(e)
	}
}

// enlist returns the batch in which an entry is checked, or nil if a batch has
// checked it since the caller looked at it.
func (m *Manager) enlist(e *entry) *batch {
	m.checks.mu.Lock()
	defer m.checks.mu.Unlock()
	if e.fresh(m.clock(), m.settings.Load().Interval, m.epoch.Load()) {
		return nil
	}
	if b := m.checks.running; b != nil && b.epoch == m.epoch.Load() && b.entries[e.id] == e {
		return b
	}
	b := m.checks.next
	if b == nil {
		b = &batch{entries: make(map[sessionID]*entry), done: make(chan struct{})}
		m.checks.next = b
	}
	b.entries[e.id] = e
	if !m.checks.busy {
		m.checks.busy = true
		go m.runChecks()
	}
	return b
}

// runChecks runs batches until none is left.
func (m *Manager) runChecks() {
	for {
		m.checks.mu.Lock()
		b := m.checks.next
		m.checks.running, m.checks.next = b, nil
		if b == nil {
			m.checks.busy = false
			m.checks.mu.Unlock()
			return
		}
		b.epoch = m.epoch.Load()
		m.checks.mu.Unlock()

		m.runBatch(b)

		m.checks.mu.Lock()
		m.checks.running = nil // nobody joins an answer that is there already
		waiting := m.checks.next
		if b.err != nil {
			// The store does not answer: those who gathered meanwhile are
			// served what is known, instead of waiting as long again.
			m.checks.next = nil
		}
		m.checks.mu.Unlock()
		close(b.done)
		if b.err != nil && waiting != nil {
			waiting.err = b.err
			close(waiting.done)
		}
	}
}

func (m *Manager) runBatch(b *batch) {
	ctx, cancel := context.WithTimeout(context.Background(), checkTimeout)
	defer cancel()
	entries := make([]*entry, 0, len(b.entries))
	for _, e := range b.entries {
		entries = append(entries, e)
	}
	b.err = m.revalidate(ctx, entries, nil)
}

// revalidate asks the store about entries, in one query, and has the rows of
// those that were used learn of it; and of the further sessions given.
func (m *Manager) revalidate(ctx context.Context, entries []*entry, touch []sessionID) error {
	before := m.mark()
	ids := make([]uuid.UUID, 0, len(entries)+len(touch))
	ids = append(ids, touch...)
	touched := make(map[sessionID]bool)
	for _, e := range entries {
		ids = append(ids, e.id)
		if e.touchDue() {
			touch = append(touch, e.id)
			touched[e.id] = true
		}
	}
	touch = withSignIns(touch, entries, touched)
	states, storeNow, err := m.store.Revalidate(ctx, ids, touch)
	m.heard(ctx, err)
	if err != nil {
		return unavailable(err)
	}
	byID := make(map[sessionID]*tokenstore.SessionState, len(states))
	for i := range states {
		byID[states[i].ID] = &states[i]
	}
	for _, e := range entries {
		m.apply(e, byID[e.id], before, storeNow, touched[e.id])
	}
	return nil
}

// withSignIns adds the sign-ins that the touched entries came from: whoever uses one of
// the sites has not left.
func withSignIns(touch []sessionID, entries []*entry, touched map[sessionID]bool) []sessionID {
	added := make(map[sessionID]bool)
	for _, e := range entries {
		signIn := e.who.Load().Portal
		if signIn == uuid.Nil || !touched[e.id] || added[signIn] || touched[signIn] {
			continue
		}
		added[signIn] = true
		touch = append(touch, signIn)
	}
	return touch
}

// apply is what one row's state means for its entry.
func (m *Manager) apply(e *entry, s *tokenstore.SessionState, before mark, storeNow time.Time, touched bool) {
	switch {
	case s == nil:
		m.finishEntry(e, unknown, before.at)
		return
	case !s.RevokedAt.IsZero():
		m.finishEntry(e, revoked, before.at)
		return
	case !storeNow.Before(s.EndsAt):
		m.finishEntry(e, expired, before.at)
		return
	case s.Suspended:
		m.finishEntry(e, suspended, before.at)
		return
	case s.Claims != e.stamp:
		// Reclaim replaced them, and its announcement did not get here.
		m.drop(e)
		return
	}
	if m.judge(e) != nil {
		return
	}
	switch {
	case touched:
		e.seen.Store(int64(before.at))
	case s.EndsAt.Before(s.ExpiresAt):
		// The idle end tells when the row was last touched, by any node.
		e.seen.Store(before.local(s.EndsAt.Add(-e.idle), storeNow))
	}
	e.setEnds(before.local(s.EndsAt, storeNow), before.local(s.ExpiresAt, storeNow))
	e.checked.Store(int64(before.at))
	e.epoch.Store(before.epoch)
}
