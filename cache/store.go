package cache

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// Count is one counter of events in a window.
type Count struct {
	// Key of the counter; the caller hashes what is private.
	Key string
	// Limit of events in Window.
	Limit int
	// Window, fixed, from the first event on.
	Window time.Duration
}

// Throttle is what became of a counter.
type Throttle struct {
	// Count of events in the running window.
	Count int
	// RetryAfter is positive when the limit is reached: what is left of the
	// window.
	RetryAfter time.Duration
}

// Throttles count events, such as failed sign-ins.
type Throttles interface {
	// Peek reads counters without counting; one round trip.
	Peek(ctx context.Context, counts ...Count) ([]Throttle, error)
	// Add counts one event on each of the counters; one round trip. A counter
	// that has reached its limit counts on.
	Add(ctx context.Context, counts ...Count) ([]Throttle, error)
	// Forgive resets counters.
	Forgive(ctx context.Context, keys ...string) error
}

// Guards remember what may be used once: a DPoP proof's or client assertion's
// jti.
type Guards interface {
	// Once is true for the first caller with this key within ttl, and false
	// for every other.
	Once(ctx context.Context, key string, ttl time.Duration) (bool, error)
}

// Announcement tells all nodes that something was revoked.
type Announcement struct {
	// Sessions that were revoked.
	Sessions []uuid.UUID
	// Subjects that were suspended or whose sessions were all revoked.
	Subjects []string
	// TokenIDs are jti values that were revoked.
	TokenIDs []string
}

// Announcements reach every node that is subscribed, the sender included,
// usually within milliseconds. They may be lost while a node is cut off; it
// then learns of the gap.
type Announcements interface {
	// Announce tells all nodes, and keeps the revoked sessions for an hour so
	// that a fail-over of the token store can be made good; one round trip.
	Announce(ctx context.Context, a Announcement) error
	// Subscribe calls receive for each announcement, in order, and gap
	// whenever announcements may have been missed: after every (re)connection
	// but the first, and at once when the connection is noticed to be lost. It
	// returns when the first subscription stands, or with its error when ctx
	// ends before; it goes on, reconnecting by itself, until ctx ends. The
	// callbacks must not block.
	Subscribe(ctx context.Context, receive func(Announcement), gap func()) error
	// RecentRevocations returns the sessions announced within the last hour.
	RecentRevocations(ctx context.Context) ([]uuid.UUID, error)
}

// Store is the short-lived state of any number of gateway nodes.
//
// Every method is safe for concurrent use and honours its context. Whether
// something has expired is judged by stored times on the cache's own clock,
// never by a key's time to live alone. Nothing live is ever evicted to make
// room: what does not fit is refused with ErrFull. A failure to reach the
// cache is ErrUnavailable.
type Store interface {
	Flows
	Throttles
	Guards
	Announcements

	// Ping reports whether the cache can be used now.
	Ping(ctx context.Context) error
	// Close releases the cache's connections.
	Close() error
}
