package session

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

func TestReclaim(t *testing.T) {
	w := newWorld(t)
	n, other := w.node(), w.node()
	n.run()
	other.run()
	portal := n.signIn()
	child := n.signIn(childOf(portal, "wiki.example.com"))
	linked := n.signIn(func(s *Start) { s.Claims.Issuer, s.Claims.ID = "https://github.com", "7" })
	stranger := n.signIn(func(s *Start) { s.Claims.ID = "another" })
	other.is(portal, nil, "before, at the other node")

	now := alice()
	now.Groups, now.AuthTime, now.AMR = []string{"staff"}, w.clock.now(), nil
	changed, err := n.Reclaim(t.Context(), portal.Session.Subject, now)
	if err != nil || changed != 2 {
		t.Fatalf("%d sessions changed (%v), want 2", changed, err)
	}
	for _, node := range []*node{n, other} {
		for _, s := range []Started{portal, child} {
			eventually(t, "the other groups", func() bool {
				who, err := node.Authenticate(t.Context(), s.Session.ClientID, s.Handle)
				return err == nil && slices.Equal(who.Groups, []string{"staff"}) && who.AuthTime.Equal(alice().AuthTime) && len(who.AMR) == 2
			})
		}
		for _, s := range []Started{linked, stranger} {
			if who, err := node.Authenticate(t.Context(), s.Session.ClientID, s.Handle); err != nil || len(who.Groups) != 2 {
				t.Errorf("somebody else has groups %v (%v)", who.Groups, err)
			}
		}
	}
	if changed, err = n.Reclaim(t.Context(), portal.Session.Subject, now); err != nil || changed != 0 {
		t.Errorf("the same again: %d changed, %v", changed, err)
	}
}

// The announcement is lost: a node that knows the session finds the other
// claims when it next revalidates, and loads them once.
func TestReclaim_NotAnnounced(t *testing.T) {
	staff := alice()
	staff.Groups = []string{"staff"}
	for name, then := range map[string]func(w *world, n *node){
		"a request after the interval":  func(w *world, _ *node) { w.clock.advance(61 * time.Second) },
		"a request after a gap":         func(_ *world, n *node) { n.gap() },
		"the background, in good time":  func(w *world, n *node) { w.clock.advance(31 * time.Second); n.tick(t.Context()) },
		"the background, with a stream": func(w *world, n *node) { w.clock.advance(31 * time.Second); n.tick(t.Context()) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			n, other := w.node(), w.node()
			s := n.signIn()
			other.is(s, nil, "before")
			if name == "the background, with a stream" {
				release := other.Watch(s.Session.ID, false, func() { t.Error("the stream was stopped") })
				defer release()
			}
			if changed, err := n.Reclaim(t.Context(), s.Session.Subject, staff); err != nil || changed != 1 {
				t.Fatalf("%d sessions changed (%v), want 1", changed, err)
			}
			then(w, other)
			who, err := other.Authenticate(t.Context(), host, s.Handle)
			if err != nil || !slices.Equal(who.Groups, staff.Groups) {
				t.Fatalf("groups %v (%v), want %v", who, err, staff.Groups)
			}
			loads := other.store.count("Session")
			w.clock.advance(61 * time.Second)
			other.is(s, nil, "an interval later")
			if again := other.store.count("Session") - loads; loads != 2 || again != 0 {
				t.Errorf("loaded %d times, and %d more times afterwards; want 2 and 0", loads, again)
			}
		})
	}
}

func TestReclaim_StoreDown(t *testing.T) {
	w := newWorld(t)
	n := w.node()
	s := n.signIn()
	n.store.hook(func(context.Context, string) error { return tokenstore.ErrUnavailable }, nil)
	now := alice()
	now.Groups = nil
	if _, err := n.Reclaim(t.Context(), s.Session.Subject, now); !errors.Is(err, ErrUnavailable) {
		t.Errorf("Reclaim: %v, want %v", err, ErrUnavailable)
	}
	n.is(s, nil, "meanwhile")
}
