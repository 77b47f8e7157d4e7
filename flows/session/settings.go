package session

import (
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// Settings are what a configuration reload may change.
type Settings struct {
	// Idle is how long a new session lives unused. Default 7 days.
	Idle time.Duration
	// Lifetime is how long a new session lives at most. Default 30 days.
	Lifetime time.Duration
	// ServeStale is how long after it was last checked a known session is
	// served while the token store does not answer. Default 10 minutes;
	// negative: not at all. It is never shorter than Interval.
	ServeStale time.Duration
	// Interval is how long a session is served without asking the token store
	// while that answers. Default 60 s.
	Interval time.Duration
	// Current judges claims again as of now, at each load and revalidation,
	// without I/O; it is given them as they were at the sign-in.
	// provider.ErrGone has this node refuse the session, for as long as Current
	// says so; the store is told nothing. Nil keeps the claims.
	Current func(identity.Claims) (identity.Claims, error)
}

// withDefaults fills in what is not set.
func (s Settings) withDefaults() *Settings {
	set := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	set(&s.Idle, 7*24*time.Hour)
	set(&s.Lifetime, 30*24*time.Hour)
	set(&s.ServeStale, 10*time.Minute)
	set(&s.Interval, time.Minute)
	s.ServeStale = max(s.ServeStale, s.Interval)
	return &s
}

// Configure puts new settings in force after a configuration reload. Every
// known session is judged by the new Current before it returns, which takes
// about a millisecond for a thousand of them, and becomes due for revalidation
// at once. Nothing is forgotten.
func (m *Manager) Configure(s Settings) {
	m.settings.Store(s.withDefaults())
	m.epoch.Add(1)
	for _, e := range m.table.all() {
		_ = m.judge(e)
	}
	m.wake()
}
