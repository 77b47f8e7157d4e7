package session

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// Known returns who a session belongs to, as far as this node knows without
// asking anybody, or nil. It counts as no use. The identity is another pointer
// where what is known of the person has changed.
func (m *Manager) Known(id uuid.UUID) *identity.Identity {
	if e := m.table.get(&id); e != nil {
		return e.who.Load()
	}
	return nil
}

// endPace is how often the ends of watched sessions are looked at: what runs for
// a session that expires must not run on for much longer.
const endPace = 250 * time.Millisecond

// endOnTime stops what is watched of sessions that expire, when they do.
func (m *Manager) endOnTime(ctx context.Context) {
	ticker := time.NewTicker(endPace)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			m.endExpired()
		}
	}
}

// endExpired ends the watched sessions whose time is over. Of one that has been
// idle for too long as far as is known here, the store says whether it was used
// elsewhere.
func (m *Manager) endExpired() {
	m.mu.Lock()
	ids := make([]uuid.UUID, 0, len(m.watchers))
	used := make([]bool, 0, len(m.watchers))
	for id, w := range m.watchers {
		ids, used = append(ids, id), append(used, w.uses > 0)
	}
	m.mu.Unlock()
	now := m.clock()
	for i := range ids {
		e := m.table.get(&ids[i])
		if e != nil && used[i] {
			e.use(now)
		}
		switch {
		case e == nil:
		case int64(now) >= e.expires.Load():
			m.finish(e.id, expired, now)
		case int64(now) >= e.ends.Load() && !m.outage.on():
			m.enlist(e)
		}
	}
}

// IsRevoked reports whether this node knows that a session was revoked. It asks
// nobody, and knows for an hour of one that was looked up.
func (m *Manager) IsRevoked(id uuid.UUID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.endings.of(id, m.clock()) == revoked
}
