package flows

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// How many flows one address may start at this node: a company behind one address
// that comes to work, and then so many a second. Flows that are finished as fast as
// they are begun keep no place under the caps, but the cache remembers each for a
// while.
const (
	startBurst  = 10_000
	startsEvery = time.Second / 20
)

// maxBegun is the most bytes of a flow that anybody may begin. One that somebody has
// signed in for also holds what the provider said of them.
const maxBegun = 10 << 10

// maxStarters bounds the addresses that are counted. Beyond it, those who come
// new are not.
const maxStarters = 50_000

// starters counts the flows that addresses have started lately.
type starters struct {
	mu      sync.Mutex
	idle    map[string]time.Time // when an address will have its whole burst again
	cleaned time.Time
}

// take reports whether an address may start a flow, and counts it.
func (s *starters) take(address string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	idle, known := s.idle[address]
	switch {
	case !known && !s.room(now):
		return true
	case idle.Before(now):
		idle = now
	case idle.Sub(now) > (startBurst-1)*startsEvery:
		return false
	}
	s.idle[address] = idle.Add(startsEvery)
	return true
}

// giveBack uncounts a flow that was not started.
func (s *starters) giveBack(address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if idle, known := s.idle[address]; known {
		s.idle[address] = idle.Add(-startsEvery)
	}
}

// room makes room for one address, looking through all at most once a second.
func (s *starters) room(now time.Time) bool {
	if s.idle == nil {
		s.idle = make(map[string]time.Time)
	}
	if len(s.idle) < maxStarters {
		return true
	}
	if now.Sub(s.cleaned) < time.Second {
		return false
	}
	s.cleaned = now
	for address, idle := range s.idle {
		if idle.Before(now) {
			delete(s.idle, address)
		}
	}
	return len(s.idle) < maxStarters
}

// startFlow starts a flow that its owner pays for, under the cache's caps and the
// owner's rate. [cache.ErrFull]: it was reached. [cache.ErrInvalid]: it is too large.
func (g *Gateway) startFlow(ctx context.Context, f cache.NewFlow) error {
	if f.State == cache.Pending && len(f.Value) > maxBegun {
		return fmt.Errorf("a flow of %d bytes: %w", len(f.Value), cache.ErrInvalid)
	}
	if !g.starters.take(f.Owner, g.Now()) {
		return &cache.FullError{Cap: "owner", Limit: startBurst}
	}
	err := g.Cache.StartFlow(ctx, f)
	if err != nil {
		g.starters.giveBack(f.Owner)
	}
	return err
}

// startFlowOf is startFlow for somebody of whom we know from before, who is "" else.
// What others of an address have begun keeps them out of nothing: where the address
// has no place left they have places of their own, as many.
func (g *Gateway) startFlowOf(ctx context.Context, f cache.NewFlow, person string) error {
	err := g.startFlow(ctx, f)
	var full *cache.FullError
	if person == "" || !errors.As(err, &full) || full.Cap != "owner" {
		return err
	}
	f.Owner = g.personOwner(person)
	return g.startFlow(ctx, f)
}

// Who pays for what, besides addresses: sign-ins, devices and pushed requests of one
// address keep no places from each other.
func deviceOwner(client string) string { return "device:" + web.AddressKey(client) }
func pushedOwner(client string) string { return "par:" + web.AddressKey(client) }

func (g *Gateway) personOwner(person string) string { return g.counterKey("person", person) }
