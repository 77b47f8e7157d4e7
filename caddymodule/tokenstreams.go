package caddymodule

import (
	"sync"

	"github.com/gatehouse-auth/gatehouse/flows"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// tokenStreams are the streams that tokens without a session opened. A stream
// may outlive the configuration that it began under, whose gateway then hears of
// no revocation any more: all are watched by the gateway of the one in force.
// The zero value is ready.
type tokenStreams struct {
	mu      sync.Mutex
	gateway *flows.Gateway // in force; nil until there was one
	live    map[*tokenStream]struct{}
}

type tokenStream struct {
	id      *identity.Identity
	stop    func()
	release func() // ends the watching by the gateway
}

// watch has stop called, once, when the token is revoked or expires. The gateway
// is used until one is in force.
func (t *tokenStreams) watch(gateway *flows.Gateway, id *identity.Identity, stop func()) (release func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.gateway != nil {
		gateway = t.gateway
	}
	s := &tokenStream{id: id, stop: sync.OnceFunc(stop)}
	s.release = gateway.WatchToken(id, s.stop)
	if t.live == nil {
		t.live = make(map[*tokenStream]struct{})
	}
	t.live[s] = struct{}{}
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.live, s)
		s.release()
	}
}

// move has another gateway watch what lives. The one before lets go only then,
// so that no revocation falls between the two.
func (t *tokenStreams) move(to *flows.Gateway) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.gateway = to
	for s := range t.live {
		before := s.release
		s.release = to.WatchToken(s.id, s.stop)
		before()
	}
}
