package session

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// A sign-out reaches every sign-in of a row of renewals, whichever it begins at,
// with branches, and over one that has ended by itself; and nobody else's.
func TestSignOut_EndsWhatRenewsAndWasRenewed(t *testing.T) {
	for name, at := range map[string]int{"first": 0, "in between": 1, "a branch": 3, "last": 4, "a site": 5} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			n := w.node()
			again := func(former uuid.UUID) Started {
				t.Helper()
				s, err := n.SignIn(t.Context(), Start{ClientID: host, Claims: alice(), Renews: former})
				if err != nil {
					t.Fatal(err)
				}
				return s
			}
			first := again(uuid.Nil)
			second := again(first.Session.ID)
			ended := again(second.Session.ID)
			branch := again(first.Session.ID)
			last := again(ended.Session.ID)
			start := Start{Claims: alice(), Renews: last.Session.ID} // of no account there
			childOf(second, host)(&start)
			site, err := n.Handover(t.Context(), start)
			if err != nil {
				t.Fatal(err)
			}
			other := again(uuid.Nil)
			if err := n.Revoke(t.Context(), ended.Session.ID); err != nil {
				t.Fatal(err)
			}
			all := []Started{first, second, ended, branch, last, site}
			if err := n.SignOut(t.Context(), all[at].Session.ID); err != nil {
				t.Fatal(err)
			}
			for i, s := range all {
				if _, err := n.Authenticate(t.Context(), host, s.Handle); !errors.Is(err, ErrNoSession) {
					t.Errorf("%d is served: %v", i, err)
				}
				row, err := w.store.Session(t.Context(), s.Session.ID)
				if err != nil || !errors.Is(row.Err(), tokenstore.ErrRevoked) {
					t.Errorf("%d lives in the store: %v", i, err)
				}
			}
			if _, err := n.Authenticate(t.Context(), host, other.Handle); err != nil {
				t.Errorf("another browser is signed out: %v", err)
			}
		})
	}
}

// Somebody with a long history signs out as quickly as everybody else.
func TestSignOut_LeavesHistoryAlone(t *testing.T) {
	w := newWorld(t)
	n := w.node()
	for range 2*childrenPage + 1 {
		if _, err := n.SignIn(t.Context(), Start{ClientID: host, Claims: alice()}); err != nil {
			t.Fatal(err)
		}
	}
	w.clock.advance(2 * flowLife)
	first, err := n.SignIn(t.Context(), Start{ClientID: host, Claims: alice()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.SignIn(t.Context(), Start{ClientID: host, Claims: alice(), Renews: first.Session.ID}); err != nil {
		t.Fatal(err)
	}
	if ids, err := n.SignIns(t.Context(), first.Session.ID); err != nil || len(ids) != 2 {
		t.Errorf("%d sign-ins are one, %v", len(ids), err)
	}
	if got := n.store.count("ListSessions"); got != 1 {
		t.Errorf("%d pages of the history were read, want 1", got)
	}
}

// What a store that is down did not take is stored when it is back; and who asks
// again is told so only then.
func TestSignOut_IsOwedWhileTheStoreIsDown(t *testing.T) {
	for _, way := range []string{"by itself", "confirmed"} {
		t.Run(way, func(t *testing.T) {
			w := newWorld(t)
			n := w.node()
			first, err := n.SignIn(t.Context(), Start{ClientID: host, Claims: alice()})
			if err != nil {
				t.Fatal(err)
			}
			second, err := n.SignIn(t.Context(), Start{ClientID: host, Claims: alice(), Renews: first.Session.ID})
			if err != nil {
				t.Fatal(err)
			}
			n.store.cut.Store(true)
			if err := n.SignOut(t.Context(), second.Session.ID); !errors.Is(err, ErrUnavailable) {
				t.Fatalf("signed out while the store is down: %v", err)
			}
			if _, err := n.Authenticate(t.Context(), host, second.Handle); !errors.Is(err, ErrNoSession) {
				t.Errorf("served after it was signed out here: %v", err)
			}
			n.store.cut.Store(false)
			if way == "by itself" {
				n.pay(t.Context())
			} else if err := n.ConfirmEnd(t.Context(), w.handle(second)); err != nil {
				t.Fatal(err)
			}
			for i, s := range []Started{first, second} {
				if row, err := w.store.Session(t.Context(), s.Session.ID); err != nil || row.RevokedAt.IsZero() {
					t.Errorf("%d lives in the store: %v", i, err)
				}
			}
		})
	}
}

// What the provider says anew of its user leaves the renewal as it was.
func TestReclaim_KeepsTheRenewal(t *testing.T) {
	w := newWorld(t)
	n := w.node()
	first, err := n.SignIn(t.Context(), Start{ClientID: host, Claims: alice()})
	if err != nil {
		t.Fatal(err)
	}
	second, err := n.SignIn(t.Context(), Start{ClientID: host, Claims: alice(), Renews: first.Session.ID})
	if err != nil {
		t.Fatal(err)
	}
	now := alice()
	now.Groups = []string{"others"}
	if changed, err := n.Reclaim(t.Context(), first.Session.Subject, now); err != nil || changed != 2 {
		t.Fatalf("%d changed, %v", changed, err)
	}
	ids, err := n.SignIns(t.Context(), second.Session.ID)
	if err != nil || !slices.Equal(ids, []uuid.UUID{first.Session.ID, second.Session.ID}) {
		t.Errorf("%v, %v", ids, err)
	}
}
