package session

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
)

// TestIdle_UseOfASiteIsUseOfItsSignIn: keycloak#32926. Who works at one site is still
// signed in for the next; a program with offline access keeps nobody signed in.
func TestIdle_UseOfASiteIsUseOfItsSignIn(t *testing.T) {
	const idle = 20 * time.Second
	for name, tt := range map[string]struct {
		detached, tick, live bool
		use                  func(n *node, s Started) error
	}{
		"requests, with sweeps":    {tick: true, live: true, use: (*node).byHandle},
		"requests, without sweeps": {live: true, use: (*node).byHandle},
		"access tokens":            {tick: true, live: true, use: (*node).byToken},
		"offline access":           {detached: true, tick: true, use: (*node).byToken},
		"a stream": {tick: true, live: true, use: func() func(*node, Started) error {
			watching := false
			return func(n *node, s Started) error {
				if !watching {
					watching = true
					n.Watch(s.Session.ID, true, func() { n.t.Error("the stream was stopped") })
				}
				n.endExpired()
				return nil
			}
		}()},
		"a stream that is no use": {tick: true, use: func(n *node, s Started) error {
			n.Watch(s.Session.ID, false, func() {})
			n.endExpired()
			return nil
		}},
		"requests that are no use": {tick: true, use: func(n *node, s Started) error {
			_, err := Uncounted{n.Manager}.Authenticate(n.t.Context(), host, s.Handle)
			if errors.Is(err, ErrNoSession) {
				return nil
			}
			return err
		}},
		"requests that are no use, after restarts": {use: func(n *node, s Started) error {
			if e := n.table.get(&s.Session.ID); e != nil {
				n.forget(e)
			}
			_, err := Uncounted{n.Manager}.Authenticate(n.t.Context(), host, s.Handle)
			n.tick(n.t.Context())
			if errors.Is(err, ErrNoSession) {
				return nil
			}
			return err
		}},
		"nothing": {tick: true, use: func(*node, Started) error { return nil }},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			n, other := w.node(), w.node()
			for _, one := range []*node{n, other} {
				one.Configure(Settings{Idle: idle})
			}
			signIn := n.signIn(func(s *Start) { s.ClientID = "portal" })
			child := n.signIn(func(s *Start) {
				s.Parent, s.Subject, s.Detached = signIn.Session.ID, signIn.Session.Subject, tt.detached
			})
			for range 25 {
				w.clock.advance(2 * time.Second)
				if err := tt.use(n, child); err != nil {
					t.Fatalf("using the session: %v", err)
				}
				if tt.tick {
					n.tick(t.Context())
				}
			}
			for _, one := range []*node{n, other} {
				_, err := one.Authenticate(t.Context(), "portal", signIn.Handle)
				if (err == nil) != tt.live {
					t.Errorf("after 50 s the sign-in answers %v, want it live: %t", err, tt.live)
				}
			}
		})
	}
}

func (n *node) byHandle(s Started) error {
	_, err := n.Authenticate(n.t.Context(), host, s.Handle)
	return err
}

func (n *node) byToken(s Started) error {
	_, err := n.Live(n.t.Context(), s.Session.ID)
	return err
}

// Use of the sign-in prolongs no site, and none of them beyond its absolute end.
func TestIdle_ProlongsNothingElse(t *testing.T) {
	w := newWorld(t)
	n := w.node()
	n.Configure(Settings{Idle: 20 * time.Second, Lifetime: time.Minute})
	signIn := n.signIn(func(s *Start) { s.ClientID = "portal" })
	children := make([]Started, 2)
	for i := range children {
		children[i] = n.signIn(func(s *Start) { s.Parent, s.Subject = signIn.Session.ID, signIn.Session.Subject })
	}
	for range 20 {
		w.clock.advance(2 * time.Second)
		n.is(children[0], nil, "used")
		n.tick(t.Context())
	}
	n.is(children[1], ErrNoSession, "the site that nobody used")
	for range 15 {
		w.clock.advance(2 * time.Second)
		_ = n.byHandle(children[0])
		n.tick(t.Context())
	}
	n.is(children[0], ErrNoSession, "after its lifetime")
	if _, err := n.Authenticate(t.Context(), "portal", signIn.Handle); err == nil {
		t.Error("the sign-in lives on after its lifetime")
	}
	if signIn.Session.ID == uuid.Nil {
		t.Error("the sign-in has no id")
	}
}
