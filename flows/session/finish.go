package session

import (
	"time"

	"github.com/google/uuid"
)

// finish ends a session at this node: its entry goes, loads on their way are
// void, its streams are stopped. at is when the token store was asked, or when
// this node learnt of it by itself: what holds for a moment only does so from
// then on, and says nothing of an entry that was checked later.
func (m *Manager) finish(id uuid.UUID, why ending, at time.Duration) {
	m.mu.Lock()
	var stops []func()
	if e := m.table.get(&id); e == nil || !why.momentary() || time.Duration(e.checked.Load()) <= at {
		stops = m.finishLocked(id, why, at)
	}
	m.mu.Unlock()
	for _, stop := range stops {
		stop()
	}
}

func (m *Manager) finishLocked(id uuid.UUID, why ending, at time.Duration) []func() {
	m.endings.add(id, why, at)
	if e := m.table.get(&id); e != nil {
		m.table.remove(e)
		e.leave(why)
	}
	return m.takeWatchers(id)
}

// finishEntry is finish for an entry that a request may hold. It may have made
// room for another one meanwhile, so that the table no longer has it.
func (m *Manager) finishEntry(e *entry, why ending, at time.Duration) {
	m.finish(e.id, why, at)
	if !why.momentary() || time.Duration(e.checked.Load()) <= at {
		e.leave(why)
	}
}

// drop takes an entry out of the table of which it is only known that it must
// be looked at again. First out, then marked: a marked entry in the table would
// be found by every attempt of a request to look again.
func (m *Manager) drop(e *entry) {
	m.table.remove(e)
	e.leave(dropped)
}

// refusal is why a session need not be looked for in the store, or nil.
func (m *Manager) refusal(id uuid.UUID) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if why := m.endings.of(id, m.clock()); why != 0 {
		return why.err()
	}
	return nil
}

// adopt takes a loaded entry into the table, unless it ended while it was
// loaded, or must be loaded again (errLookAgain).
func (m *Manager) adopt(e *entry, before mark) (*entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.clock()
	if why := m.endings.of(e.id, now); why != 0 {
		return nil, why.err()
	}
	if m.endings.voids(e.who.Load().Subject, before.generation) {
		return nil, errLookAgain
	}
	if there := m.table.get(&e.id); there != nil {
		return there, nil
	}
	if w := m.watchers[e.id]; w != nil {
		e.pinned.Store(true)
	}
	if out := m.table.put(e); out != nil {
		m.evicted(out)
	}
	return e, nil
}

// evicted keeps the last use of an entry that had to go, if the row should
// learn of it. A request that holds the entry may finish with it. Manager.mu is
// held.
func (m *Manager) evicted(e *entry) {
	if e.touchDue() && len(m.touch) < maxTouch {
		m.touch = append(m.touch, e.id)
		if signIn := e.who.Load().Portal; signIn != uuid.Nil {
			m.touch = append(m.touch, signIn)
		}
	}
}

// maxTouch bounds the uses to be recorded of evicted sessions.
const maxTouch = 10_000
