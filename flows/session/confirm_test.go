package session

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/flows/handle"
)

// handle is what a browser presents.
func (w *world) handle(s Started) handle.Handle {
	w.t.Helper()
	h, err := handle.ParseSession(w.keys, s.Handle)
	if err != nil {
		w.t.Fatal(err)
	}
	return h
}

// signInWithSites signs in and goes to two sites. The second is known only to
// the node that is returned with it, which listens.
func (w *world) signInWithSites() (portal, site, second Started, other *node) {
	w.t.Helper()
	n, other := w.node(), w.node()
	other.run()
	portal = n.signIn(func(s *Start) { s.ClientID = "portal" })
	site = n.signIn(childOf(portal, host))
	second = other.signIn(childOf(portal, "b.example.com"))
	other.is(site, nil, "before the sign-out")
	return portal, site, second, other
}

// A node may die between the store's answer and the announcement. Who signs out
// again, at whatever node, has everything announced.
func TestEndAgainTellsWhatNobodyWasToldOf(t *testing.T) {
	tests := []struct {
		name string
		end  func(n *node, portal, site Started) error
	}{
		{"at the portal", func(n *node, portal, _ Started) error { return n.End(t.Context(), portal.Session.ID) }},
		{"at the site", func(n *node, _, site Started) error { return n.End(t.Context(), site.Session.ID) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			portal, site, second, other := w.signInWithSites()
			if _, err := w.store.RevokeSession(t.Context(), portal.Session.ID); err != nil {
				t.Fatal(err)
			}
			other.is(second, nil, "which nobody was told of")
			asked := other.store.total()
			if err := tt.end(w.node(), portal, site); err != nil {
				t.Fatal(err)
			}
			for _, s := range []Started{portal, site, second} {
				eventually(t, "the other node hears of "+s.Session.ClientID, func() bool { return other.refusal(s.Session.ID) != nil })
				other.is(s, ErrNoSession, "announced")
			}
			if got := other.store.total() - asked; got != 0 {
				t.Errorf("the other node asked the store %d times", got)
			}
		})
	}
}

// More children than are listed at once.
func TestEndAgainTellsOfManyChildren(t *testing.T) {
	w := newWorld(t)
	n := w.node()
	portal := n.signIn(func(s *Start) { s.ClientID = "portal" })
	var oldest Started
	for i := range childrenPage + 1 {
		if s := n.signIn(childOf(portal, host)); i == 0 {
			oldest = s
		}
	}
	if _, err := w.store.RevokeSession(t.Context(), portal.Session.ID); err != nil {
		t.Fatal(err)
	}
	n.is(oldest, nil, "which nobody was told of")
	if err := n.End(t.Context(), portal.Session.ID); err != nil {
		t.Fatal(err)
	}
	n.is(oldest, ErrNoSession, "told")
}

func TestConfirmEnd(t *testing.T) {
	tests := []struct {
		name string
		// before has the sign-out be said, and the answer be lost.
		before func(w *world, other *node, portal, site Started) error
		// over are the portal sign-in, the site and the second site after it was
		// said again.
		over [3]bool
	}{
		{"stored, nobody told", func(w *world, _ *node, portal, _ Started) error {
			_, err := w.store.RevokeSession(t.Context(), portal.Session.ID)
			return err
		}, [3]bool{true, true, true}},
		{"told, not stored, by a node that died", func(w *world, other *node, portal, site Started) error {
			dying := w.node()
			dying.is(portal, nil, "before the sign-out")
			dying.is(site, nil, "before the sign-out")
			dying.store.cut.Store(true)
			if err := dying.End(t.Context(), site.Session.ID); !errors.Is(err, ErrUnavailable) {
				return errors.New("it was stored")
			}
			eventually(t, "the other node hears of it", func() bool { return other.refusal(site.Session.ID) != nil })
			return nil
		}, [3]bool{true, true, true}},
		{"only the site was revoked", func(w *world, _ *node, _, site Started) error {
			_, err := w.store.RevokeSession(t.Context(), site.Session.ID)
			return err
		}, [3]bool{false, true, false}},
		{"nothing has ended", func(*world, *node, Started, Started) error { return nil }, [3]bool{}},
	}
	for _, tt := range tests {
		for by, name := range []string{"portal", "site"} {
			if name == "portal" && !tt.over[by] && tt.over[1] {
				continue // the portal's cookie is good
			}
			t.Run(tt.name+", by the cookie of the "+name, func(t *testing.T) {
				w := newWorld(t)
				portal, site, second, other := w.signInWithSites()
				if err := tt.before(w, other, portal, site); err != nil {
					t.Fatal(err)
				}
				other.is(second, nil, "of which nobody knew")
				handle := w.handle([]Started{portal, site}[by])
				if err := other.ConfirmEnd(t.Context(), handle); err != nil {
					t.Fatal(err)
				}
				asked := other.store.total()
				if err := other.ConfirmEnd(t.Context(), handle); err != nil {
					t.Fatal(err)
				}
				if got := other.store.total() - asked; got != 0 && tt.over[by] {
					t.Errorf("confirmed again, it asked the store %d times", got)
				}
				for i, s := range []Started{portal, site, second} {
					var want error
					if tt.over[i] {
						want = ErrNoSession
					}
					other.is(s, want, "where it was confirmed: "+s.Session.ClientID)
					w.node().is(s, want, "in the store: "+s.Session.ClientID)
				}
			})
		}
	}
}

// What cannot be stored is not confirmed, however many nodes refuse it.
func TestConfirmEndNeedsTheStore(t *testing.T) {
	for _, method := range []string{"Session", "RevokeSession"} {
		t.Run(method, func(t *testing.T) {
			w := newWorld(t)
			portal, _, _, other := w.signInWithSites()
			other.store.hook(func(_ context.Context, called string) error {
				if called == method {
					return errCut
				}
				return nil
			}, nil)
			if err := other.End(t.Context(), portal.Session.ID); !errors.Is(err, ErrUnavailable) && method == "RevokeSession" {
				t.Fatalf("ending: %v", err)
			}
			if err := other.ConfirmEnd(t.Context(), w.handle(portal)); !errors.Is(err, ErrUnavailable) {
				t.Errorf("confirming: %v", err)
			}
		})
	}
}

// A handle with the right MAC and another secret says nothing about anybody.
func TestConfirmEndOfNothing(t *testing.T) {
	w := newWorld(t)
	portal, _, _, other := w.signInWithSites()
	if _, err := w.store.RevokeSession(t.Context(), portal.Session.ID); err != nil {
		t.Fatal(err)
	}
	forged := w.handle(portal)
	forged.Secret[0]++
	for _, h := range []handle.Handle{forged, {ID: uuid.New()}} {
		if err := other.ConfirmEnd(t.Context(), h); err != nil {
			t.Error(err)
		}
	}
	if other.refusal(portal.Session.ID) != nil {
		t.Error("announced on the word of a stranger")
	}
}
