package tokenstore

import (
	"context"
	"time"
)

// StartLag is how long before it is created a session may have begun, by its id: that
// is of the flow that its sign-in went through, and of a node whose clock may differ.
const StartLag = time.Hour

// Store is the durable state of any number of gateway nodes.
//
// Every method is safe for concurrent use and honours its context. Every write
// is atomic and durable when the method returns. Times are UTC; whether
// something has expired is judged on the store's own clock, never the
// caller's. Strings are stored byte for byte; NUL and invalid UTF-8 are
// ErrInvalid. A failure to reach the store is ErrUnavailable. Sealed bytes,
// hashes and MACs are opaque.
type Store interface {
	Subjects
	Delegations
	Sessions
	ProviderTokens
	SigningKeys

	// Migrate brings the schema up to date, one node at a time. It may be
	// called again. ErrSchemaTooNew, ErrUnavailable.
	Migrate(ctx context.Context) error
	// Maintain does what a running store needs now and then, on one node at a
	// time (others return at once): makes and drops partitions, deletes what
	// has expired. Call it at start and every few minutes. longestLifetime is
	// the longest session lifetime configured; the store remembers the
	// longest ever. The sessions of a month are kept until that has passed since
	// its end, and for [StartLag] more.
	Maintain(ctx context.Context, longestLifetime time.Duration) (MaintenanceReport, error)
	// Ping reports whether the store can be used now.
	Ping(ctx context.Context) error
	// Close releases the store's connections.
	Close() error
}

// MaintenanceReport is what a round of maintenance found and did.
type MaintenanceReport struct {
	// Skipped: another node is at it.
	Skipped bool
	// Created and Dropped are months of sessions, as YYYY-MM.
	Created, Dropped []string
	// MonthsAhead is how many months after the current one exist; fewer than
	// 1 deserves an alert. Stores without partitions report 3.
	MonthsAhead int
	// Purged rows: expired provider tokens, token ids, outbox entries.
	Purged int
}
