package session

import (
	"time"

	"github.com/google/uuid"
)

// ServeStale is [Settings.ServeStale] as it is in force.
func (m *Manager) ServeStale() time.Duration { return m.settings.Load().ServeStale }

// IsStale reports whether the token store does not answer, and last vouched for a session
// longer ago than the limit, or than [Settings.Interval] if that is longer. It asks
// nobody. It is for sites that go on for less long than [Settings.ServeStale].
func (m *Manager) IsStale(id uuid.UUID, limit time.Duration) bool {
	if id == uuid.Nil || !m.outage.on() {
		return false
	}
	e := m.table.get(&id)
	return e == nil || m.clock()-time.Duration(e.checked.Load()) >= max(limit, m.settings.Load().Interval)
}
