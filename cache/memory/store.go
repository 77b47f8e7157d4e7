package memory

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache"
)

// The caps when [cache.Caps] has zeros.
const (
	defaultOwnerCap  = 200
	defaultGlobalCap = 100_000
)

// Options of a [Store]. The zero value is good.
type Options struct {
	// Now is the clock. Default: [time.Now].
	Now func() time.Time
	// Caps of live flows. Default: 200 per owner, 100,000 in all. The global
	// one bounds the tables of aliases, counters and guards as well.
	Caps cache.Caps
}

// Store is a [cache.Store] in this process's memory. Make one with [New].
type Store struct {
	now  func() time.Time
	caps cache.Caps

	mu       sync.Mutex // guards all below
	closed   bool
	flows    shelf[flow]
	live     int            // places of PENDING and READY flows
	owners   map[string]int // the same per owner
	notes    notes
	fresh    int        // DONE flows whose validity has not passed
	ruins    tombstones // flows that expired unfinished
	spent    tombstones // flows that were refused, or finished and have expired since
	aliases  shelf[string]
	counters shelf[int]
	guards   shelf[struct{}]
	revoked  revocations

	subscribers map[*subscriber]struct{}
	running     sync.WaitGroup
}

// New returns an empty store. It starts no goroutine; each subscription has
// one, which ends with its context or with Close.
func New(o Options) *Store {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Caps.Owner == 0 {
		o.Caps.Owner = defaultOwnerCap
	}
	if o.Caps.Global == 0 {
		o.Caps.Global = defaultGlobalCap
	}
	return &Store{
		now:         o.Now,
		caps:        o.Caps,
		flows:       newShelf[flow](),
		owners:      map[string]int{},
		aliases:     newShelf[string](),
		counters:    newShelf[int](),
		guards:      newShelf[struct{}](),
		revoked:     revocations{at: map[sessionID]time.Time{}},
		subscribers: map[*subscriber]struct{}{},
	}
}

// Ping fails only when the store is closed or ctx has ended.
func (s *Store) Ping(ctx context.Context) error {
	_, err := s.enter(ctx)
	if err != nil {
		return err
	}
	s.mu.Unlock()
	return nil
}

// Close forgets everything and ends the subscriptions, for which it waits.
// Later calls of other methods are [cache.ErrUnavailable].
func (s *Store) Close() error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		for sub := range s.subscribers {
			sub.cancel()
		}
	}
	s.mu.Unlock()
	s.running.Wait()
	return nil
}

// enter locks the store and does what has come due, so that what a method
// then sees is neither expired nor counted wrongly. The caller unlocks.
func (s *Store) enter(ctx context.Context) (now time.Time, err error) {
	if err := ctx.Err(); err != nil {
		return time.Time{}, fmt.Errorf("%w: %w", cache.ErrUnavailable, err)
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return time.Time{}, fmt.Errorf("%w: it is closed", cache.ErrUnavailable)
	}
	now = s.now()
	s.expireFlows(now)
	s.aliases.expire(now)
	s.counters.expire(now)
	s.guards.expire(now)
	s.revoked.expire(now)
	return now, nil
}

// room refuses an entry that a table has no place for.
func (s *Store) room(entries int) error {
	if s.caps.Global >= 0 && entries >= s.caps.Global {
		return &cache.FullError{Cap: "global", Limit: s.caps.Global}
	}
	return nil
}

var _ cache.Store = (*Store)(nil)
