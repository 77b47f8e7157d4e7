package session

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache"
)

// How often a subscription is tried that the cache refuses at once.
const (
	firstRetry = 100 * time.Millisecond
	lastRetry  = 5 * time.Second
)

// listen subscribes to the announcements, for as long as it takes. Sessions
// work meanwhile: each is revalidated within the interval.
func (m *Manager) listen(ctx context.Context) {
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		err := m.cache.Subscribe(ctx, m.receive, m.gap)
		if err == nil {
			// What was announced before is not known.
			m.gap()
			return
		}
		if ctx.Err() != nil {
			return
		}
		m.log.Warn("announcements cannot be subscribed to", "error", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// receive ends what was announced as revoked. What is known of an announced
// subject must be looked at again: whoever lifts a suspension announces it too.
func (m *Manager) receive(a cache.Announcement) {
	var stops []func()
	m.mu.Lock()
	for _, id := range a.Sessions {
		stops = append(stops, m.finishLocked(id, revoked, m.clock())...)
	}
	for _, subject := range a.Subjects {
		m.endings.subject(subject)
	}
	m.mu.Unlock()
	for _, stop := range stops {
		stop()
	}
	if len(a.Subjects) > 0 {
		m.dropSubjects(a.Subjects)
	}
}

func (m *Manager) dropSubjects(subjects []string) {
	named := make(map[string]bool, len(subjects))
	for _, s := range subjects {
		named[s] = true
	}
	for _, e := range m.table.all() {
		if named[e.who.Load().Subject] {
			m.drop(e)
		}
	}
	m.wake()
}

// gap notes that announcements may have been missed: everything is stale, and
// the cache is asked what was revoked of late.
func (m *Manager) gap() {
	m.epoch.Add(1)
	m.outage.want(false)
	m.wake()
}
