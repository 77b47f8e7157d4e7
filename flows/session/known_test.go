package session

import (
	"context"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// What runs for a session ends when that expires, not when the node next looks
// after all that it knows.
func TestEndExpired(t *testing.T) {
	tests := []struct {
		name string
		do   func(w *world, n *node, s Started)
		want bool
	}{
		{"in time", func(w *world, _ *node, _ Started) { w.clock.advance(4*time.Hour - time.Second) }, false},
		{"idle", func(w *world, _ *node, _ Started) { w.clock.advance(4 * time.Hour) }, true},
		{"used here", func(w *world, n *node, s Started) {
			w.clock.advance(3 * time.Hour)
			n.is(s, nil, "in use")
			w.clock.advance(3 * time.Hour)
		}, false},
		{"used at another node", func(w *world, _ *node, s Started) {
			w.clock.advance(3 * time.Hour)
			other := w.node()
			other.is(s, nil, "in use")
			other.tick(t.Context())
			w.clock.advance(3 * time.Hour)
		}, false},
		{"absolute end, though in use", func(w *world, n *node, s Started) {
			for range 3 {
				w.clock.advance(3 * time.Hour)
				_, _ = n.Authenticate(t.Context(), host, s.Handle)
			}
		}, true},
		{"absolute end, store down", func(w *world, n *node, _ Started) {
			n.store.cut.Store(true)
			w.clock.advance(8 * time.Hour)
		}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			n := w.node()
			s := n.signIn(func(s *Start) { s.Lifetime, s.Idle = 8*time.Hour, 4*time.Hour })
			ctx, cancel := context.WithCancel(t.Context())
			defer n.Watch(s.Session.ID, false, cancel)()
			tt.do(w, n, s)
			n.endExpired()
			if tt.want {
				eventually(t, "the stream is stopped", func() bool { return ctx.Err() != nil })
				return
			}
			eventually(t, "the store was asked where it must be", func() bool {
				n.checks.mu.Lock()
				defer n.checks.mu.Unlock()
				return !n.checks.busy
			})
			if ctx.Err() != nil {
				t.Error("the stream was stopped")
			}
		})
	}
}

// Nobody who looks at a session uses it.
func TestKnown(t *testing.T) {
	w := newWorld(t)
	groups := []string{"staff"}
	n := w.node(func(c *Config) {
		c.Settings.Current = func(claims identity.Claims) (identity.Claims, error) {
			claims.Groups = groups
			return claims, nil
		}
	})
	s := n.signIn(func(s *Start) { s.Idle = time.Hour })
	before := n.Known(s.Session.ID)
	if before == nil || before.User != "alice@example.com" {
		t.Fatalf("known as %v", before)
	}
	if n.Known(s.Session.ID) != before {
		t.Error("another identity though nothing has changed")
	}
	groups = []string{"guests"}
	n.Configure(*n.settings.Load())
	if after := n.Known(s.Session.ID); after == before || after.Groups[0] != "guests" {
		t.Errorf("known as %v after a change", after)
	}
	w.clock.advance(59 * time.Minute)
	n.Known(s.Session.ID)
	w.clock.advance(time.Minute)
	n.is(s, ErrNoSession, "idle")
	if n.Known(s.Session.ID) != nil {
		t.Error("known though it has ended")
	}
}
