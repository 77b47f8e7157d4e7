package session

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"
)

// watched are the streams of one session.
type watched struct {
	stops map[*func()]struct{}
	// uses are how many of them are use of the session.
	uses int
	// since is when the session was last vouched for.
	since time.Duration
}

// Watch has stop called, once, when the session is known to have ended:
// revoked here or on another node, expired, or of a suspended subject; and when
// it could not be checked for Settings.ServeStale. It is for what outlives its
// request: WebSockets and event streams. Where counts is true the session is in use
// for as long as one of them runs. If the session has ended already, stop is called before Watch
// returns. It must not block.
//
// Release must be called when the stream ends; it may be called again.
func (m *Manager) Watch(id uuid.UUID, counts bool, stop func()) (release func()) {
	m.mu.Lock()
	if m.endings.of(id, m.clock()) != 0 {
		m.mu.Unlock()
		stop()
		return func() {}
	}
	w := m.watchers[id]
	if w == nil {
		w = &watched{stops: make(map[*func()]struct{}), since: m.clock()}
		m.watchers[id] = w
	}
	w.stops[&stop] = struct{}{}
	if counts {
		w.uses++
	}
	if e := m.table.get(&id); e != nil {
		e.pinned.Store(true)
	}
	m.mu.Unlock()
	return sync.OnceFunc(func() { m.release(id, w, &stop, counts) })
}

func (m *Manager) release(id uuid.UUID, w *watched, stop *func(), counts bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(w.stops, stop)
	if counts {
		w.uses--
	}
	if len(w.stops) > 0 || m.watchers[id] != w {
		return
	}
	delete(m.watchers, id)
	if e := m.table.get(&id); e != nil {
		e.pinned.Store(false)
	}
}

// takeWatchers hands over the stops of a session. Manager.mu is held.
func (m *Manager) takeWatchers(id uuid.UUID) []func() {
	w := m.watchers[id]
	if w == nil {
		return nil
	}
	delete(m.watchers, id)
	stops := make([]func(), 0, len(w.stops))
	for stop := range w.stops {
		stops = append(stops, *stop)
	}
	return stops
}

// watchOver looks after the watched sessions: those that left the table are
// loaded again, and streams are stopped that nobody can vouch for any longer.
func (m *Manager) watchOver(ctx context.Context) {
	m.mu.Lock()
	ids := make([]uuid.UUID, 0, len(m.watchers))
	for id := range m.watchers {
		ids = append(ids, id)
	}
	m.mu.Unlock()
	down := false
	for _, id := range ids {
		var err error
		e := m.table.get(&id)
		if e == nil && !down {
			e, err = m.load(ctx, id)
			down = errors.Is(err, ErrUnavailable) // once is enough for this round
		}
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, ErrNoSession) || !m.vouched(id, e) {
			m.stop(id)
		}
	}
}

// vouched reports whether a watched session was checked recently enough.
func (m *Manager) vouched(id uuid.UUID, e *entry) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := m.watchers[id]
	if w == nil {
		return true
	}
	if e != nil {
		w.since = time.Duration(e.checked.Load())
		e.pinned.Store(true)
	}
	return m.clock()-w.since < m.settings.Load().ServeStale
}

// stop stops the streams of a session without judging the session.
func (m *Manager) stop(id uuid.UUID) {
	m.mu.Lock()
	stops := m.takeWatchers(id)
	m.mu.Unlock()
	for _, stop := range stops {
		stop()
	}
}
