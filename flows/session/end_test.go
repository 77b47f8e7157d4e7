package session

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/flows/handle"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

func TestSignIn(t *testing.T) {
	w := newWorld(t)
	n := w.node()
	id := handle.NewID(w.clock.now(), nil)
	first := n.signIn(func(s *Start) { s.ID, s.Parent, s.Scope = id, uuid.Nil, "openid email" })
	if first.Session.ID != id || first.Session.Provider != "google" || first.Session.UserAgent != "test" {
		t.Errorf("session %+v", first.Session)
	}
	if got := first.Identity.Scope; len(got) != 2 || first.Identity.ClientID != host {
		t.Errorf("identity %+v", first.Identity)
	}
	if first.Session.Idle != 7*24*time.Hour || first.ExpiresAt.Sub(first.Session.Now) != 30*24*time.Hour {
		t.Errorf("idle %s, ends %s", first.Session.Idle, first.ExpiresAt)
	}
	again := n.signIn()
	if again.Session.Subject != first.Session.Subject || again.Handle == first.Handle {
		t.Error("the second sign-in is not a new session of the same subject")
	}
	if _, err := n.SignIn(t.Context(), Start{ID: id, ClientID: host, Claims: alice()}); !errors.Is(err, tokenstore.ErrExists) {
		t.Errorf("a replay: %v", err)
	}
	n.is(first, nil, "after a replay")
	if err := w.store.Suspend(t.Context(), first.Session.Subject, true); err != nil {
		t.Fatal(err)
	}
	if _, err := n.SignIn(t.Context(), Start{ClientID: host, Claims: alice()}); !errors.Is(err, tokenstore.ErrSuspended) {
		t.Errorf("suspended: %v", err)
	}
	big := alice()
	big.Extra["big"] = string(make([]byte, tokenstore.MaxClaims))
	if _, err := n.SignIn(t.Context(), Start{ClientID: host, Claims: big}); !errors.Is(err, tokenstore.ErrInvalid) {
		t.Errorf("too many claims: %v", err)
	}
}

func TestHandover(t *testing.T) {
	w := newWorld(t)
	n := w.node()
	portal := n.signIn(func(s *Start) { s.ClientID = "portal" })
	site := n.signIn(childOf(portal, host))
	if site.Identity.Portal != portal.Session.ID || site.Identity.Subject != portal.Identity.Subject {
		t.Errorf("identity %+v", site.Identity)
	}
	n.is(site, nil, "handed over")
	if _, err := n.Authenticate(t.Context(), "portal", site.Handle); !errors.Is(err, ErrNoSession) {
		t.Errorf("a site's handle at the portal: %v", err)
	}
	if err := n.End(t.Context(), portal.Session.ID); err != nil {
		t.Fatal(err)
	}
	late := Start{Claims: alice()}
	childOf(portal, host)(&late)
	if _, err := n.Handover(t.Context(), late); !errors.Is(err, tokenstore.ErrRevoked) {
		t.Errorf("from a sign-in that has ended: %v", err)
	}
}

// Signing out anywhere ends the portal sign-in and all that came from it, at
// every node, and nothing else.
func TestEnd(t *testing.T) {
	for _, from := range []string{"portal", "site"} {
		t.Run("from the "+from, func(t *testing.T) {
			w := newWorld(t)
			a, b := w.node(), w.node()
			b.run()
			portal := a.signIn(func(s *Start) { s.ClientID = "portal" })
			site, second := a.signIn(childOf(portal, host)), a.signIn(childOf(portal, "b.example.com"))
			stranger := a.signIn()
			family := []Started{portal, site, second}
			for _, s := range append(family, stranger) {
				b.is(s, nil, "first sight")
			}
			ended := site
			if from == "portal" {
				ended = portal
			}
			for range 2 { // a second time is no error
				if err := a.End(t.Context(), ended.Session.ID); err != nil {
					t.Fatal(err)
				}
			}
			for _, s := range family {
				a.is(s, ErrNoSession, "where it was ended")
				eventually(t, "the other node hears of "+s.Session.ClientID, func() bool {
					return b.refusal(s.Session.ID) != nil
				})
				b.is(s, ErrNoSession, "at the other node")
			}
			a.is(stranger, nil, "another sign-in")
			b.is(stranger, nil, "another sign-in, at the other node")
			if err := w.node().End(t.Context(), ended.Session.ID); err != nil {
				t.Errorf("at a node that never saw it: %v", err)
			}
		})
	}
}

func TestEndUnknown(t *testing.T) {
	if err := newWorld(t).node().End(t.Context(), uuid.New()); err != nil {
		t.Errorf("ending what is not there: %v", err)
	}
}

// What a small node remembers of endings is bounded; that of the session whose
// user has just signed out is not the first to go.
func TestEndIsRememberedBeforeItsFamily(t *testing.T) {
	w := newWorld(t)
	n := w.node(func(c *Config) { c.MaxEntries = 2 })
	portal := n.signIn(func(s *Start) { s.ClientID = "portal" })
	w.clock.advance(2 * useGrain)
	site, second := n.signIn(childOf(portal, host)), n.signIn(childOf(portal, "b.example.com"))
	for _, s := range []Started{site, second} {
		if n.table.get(&s.Session.ID) == nil {
			t.Fatalf("the session of %s is not known here", s.Session.ClientID)
		}
	}
	n.store.cut.Store(true)
	if err := n.End(t.Context(), site.Session.ID); !errors.Is(err, ErrUnavailable) {
		t.Fatal(err)
	}
	n.is(site, ErrNoSession, "where it was ended")
}

// A browser that closes the connection has signed out all the same.
func TestEndGoesOnWithoutTheCaller(t *testing.T) {
	w := newWorld(t)
	n := w.node()
	s := n.signIn()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := n.End(gone, s.Session.ID); err != nil {
		t.Fatal(err)
	}
	w.node().is(s, ErrNoSession, "at another node")
}

func TestEndSubject(t *testing.T) {
	w := newWorld(t)
	a, b := w.node(), w.node()
	b.run()
	first, second := a.signIn(), a.signIn(func(s *Start) { s.ClientID = "b.example.com" })
	bob := a.signIn(func(s *Start) { s.Claims.ID = "another" })
	b.is(first, nil, "first sight")
	if err := a.EndSubject(t.Context(), ""); !errors.Is(err, tokenstore.ErrInvalid) {
		t.Errorf("nobody's sessions: %v", err)
	}
	if err := a.EndSubject(t.Context(), first.Session.Subject); err != nil {
		t.Fatal(err)
	}
	a.is(first, ErrNoSession, "ended")
	a.is(second, ErrNoSession, "ended")
	eventually(t, "the other node hears of it", func() bool { return b.refusal(second.Session.ID) != nil })
	b.is(first, ErrNoSession, "at the other node")
	a.is(bob, nil, "somebody else's")

	a.store.cut.Store(true)
	if err := a.EndSubject(t.Context(), bob.Session.Subject); !errors.Is(err, ErrUnavailable) {
		t.Errorf("store down: %v", err)
	}
	a.is(bob, ErrNoSession, "ended here, though not stored")
	a.store.cut.Store(false)
	a.pay(t.Context())
	w.node().is(bob, ErrNoSession, "stored later")
}

func TestWatch(t *testing.T) {
	tests := []struct {
		name string
		do   func(t *testing.T, w *world, n *node, s Started)
		want int
	}{
		{"nothing happens", func(t *testing.T, w *world, n *node, _ Started) {
			w.clock.advance(time.Hour)
			n.tick(t.Context())
			w.clock.advance(time.Hour)
			n.tick(t.Context())
		}, 0},
		{"ended here", func(t *testing.T, _ *world, n *node, s Started) {
			if err := n.End(t.Context(), s.Session.ID); err != nil {
				t.Error(err)
			}
		}, 1},
		{"ended at another node", func(t *testing.T, w *world, n *node, s Started) {
			n.run()
			if err := w.node().End(t.Context(), s.Session.ID); err != nil {
				t.Error(err)
			}
			eventually(t, "it is announced", func() bool { return n.refusal(s.Session.ID) != nil })
		}, 1},
		{"ended unannounced", func(t *testing.T, w *world, n *node, s Started) {
			if _, err := w.store.RevokeSession(t.Context(), s.Session.ID); err != nil {
				t.Error(err)
			}
			w.clock.advance(31 * time.Second)
			n.tick(t.Context())
		}, 1},
		{"subject suspended and announced", func(t *testing.T, w *world, n *node, s Started) {
			if err := w.store.Suspend(t.Context(), s.Session.Subject, true); err != nil {
				t.Error(err)
			}
			n.dropSubjects([]string{s.Session.Subject})
			n.tick(t.Context())
		}, 1},
		{"subject announced, nothing happened", func(t *testing.T, _ *world, n *node, s Started) {
			n.dropSubjects([]string{s.Session.Subject})
			n.tick(t.Context())
		}, 0},
		{"expired", func(t *testing.T, w *world, n *node, _ Started) {
			n.store.cut.Store(true)
			w.clock.advance(9 * time.Hour)
			n.tick(t.Context())
		}, 1},
		{"idle", func(t *testing.T, w *world, n *node, _ Started) {
			w.clock.advance(4 * time.Hour)
			n.tick(t.Context())
		}, 1},
		{"store down for a while", func(t *testing.T, w *world, n *node, _ Started) {
			n.store.cut.Store(true)
			w.clock.advance(9 * time.Minute)
			n.tick(t.Context())
		}, 0},
		{"nobody vouches for it", func(t *testing.T, w *world, n *node, _ Started) {
			n.store.cut.Store(true)
			w.clock.advance(10 * time.Minute)
			n.tick(t.Context())
		}, 1},
		{"evicted", func(t *testing.T, _ *world, n *node, _ Started) {
			for range 20 {
				n.signIn()
			}
		}, 0},
		{"released", func(t *testing.T, _ *world, n *node, s Started) {
			release := n.Watch(s.Session.ID, false, func() { t.Error("stopped after its release") })
			release()
			release()
			if err := n.End(t.Context(), s.Session.ID); err != nil {
				t.Error(err)
			}
		}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			n := w.node(func(c *Config) { c.MaxEntries = 4 })
			s := n.signIn(func(s *Start) { s.Lifetime, s.Idle = 8*time.Hour, 4*time.Hour })
			stopped := make(chan struct{}, 8)
			for range 2 {
				defer n.Watch(s.Session.ID, false, func() { stopped <- struct{}{} })()
			}
			tt.do(t, w, n, s)
			if got := len(stopped); got != 2*tt.want {
				t.Errorf("two streams were stopped %d times, want %d each", got, tt.want)
			}
			if tt.want == 0 && n.table.get(&s.Session.ID) == nil {
				t.Error("a watched session was forgotten")
			}
		})
	}
}

// Watching a session that has ended stops at once.
func TestWatchEnded(t *testing.T) {
	w := newWorld(t)
	n := w.node()
	s := n.signIn()
	if err := n.End(t.Context(), s.Session.ID); err != nil {
		t.Fatal(err)
	}
	stopped := 0
	n.Watch(s.Session.ID, false, func() { stopped++ })()
	if stopped != 1 {
		t.Errorf("stopped %d times", stopped)
	}
	// And one that ended unseen, at the next tick.
	unseen := w.node().signIn()
	if err := w.node().End(t.Context(), unseen.Session.ID); err != nil {
		t.Fatal(err)
	}
	defer n.Watch(unseen.Session.ID, false, func() { stopped++ })()
	n.tick(t.Context())
	if stopped != 2 || len(n.watchers) != 0 {
		t.Errorf("stopped %d times, %d are still watched", stopped, len(n.watchers))
	}
}

func TestNewNeedsItsParts(t *testing.T) {
	if _, err := New(Config{}); err == nil {
		t.Error("made of nothing")
	}
}

// Revoke leaves the sign-in that the session came from.
func TestRevoke(t *testing.T) {
	w := newWorld(t)
	n := w.node()
	portal := n.signIn(func(s *Start) { s.ClientID = "portal" })
	site, second := n.signIn(childOf(portal, host)), n.signIn(childOf(portal, "b.example.com"))
	for range 2 {
		if err := n.Revoke(t.Context(), site.Session.ID); err != nil {
			t.Fatal(err)
		}
	}
	n.is(site, ErrNoSession, "revoked")
	n.is(portal, nil, "where it came from")
	n.is(second, nil, "its sibling")

	n.store.cut.Store(true)
	if err := n.Revoke(t.Context(), second.Session.ID); !errors.Is(err, ErrUnavailable) {
		t.Errorf("store down: %v", err)
	}
	if got := n.Stats(); got.Owed != 1 || !got.StoreDown || got.Entries != 1 || got.Ended != 2 {
		t.Errorf("stats %+v", got)
	}
	n.is(second, ErrNoSession, "revoked here, though not stored")
	n.store.cut.Store(false)
	n.pay(t.Context())
	w.node().is(second, ErrNoSession, "stored later")
	if got := n.Stats(); got.Owed != 0 || got.StoreDown {
		t.Errorf("stats %+v", got)
	}
}

func TestStartedPrintsNoSecret(t *testing.T) {
	s := newWorld(t).node().signIn()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if out := fmt.Sprintf(verb, s); out != "session "+s.Session.ID.String() {
			t.Errorf("%s prints %s", verb, out)
		}
	}
}
