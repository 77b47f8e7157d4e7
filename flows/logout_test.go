package flows_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// brokenStore takes no revocation while it is down.
type brokenStore struct{ downStore }

func (s brokenStore) RevokeSession(ctx context.Context, id uuid.UUID) ([]uuid.UUID, error) {
	if s.down.Load() {
		return nil, tokenstore.ErrUnavailable
	}
	return s.Store.RevokeSession(ctx, id)
}

// TestLogout_SignedOutIsSaidWhenItIsStored: a sign-out that could not be stored
// is refused by the nodes that heard of it, and that alone is no reason to tell
// the person, who asks again, that it is done.
func TestLogout_SignedOutIsSaidWhenItIsStored(t *testing.T) {
	for _, at := range []string{"the portal", "a site"} {
		t.Run("at "+at, func(t *testing.T) {
			down := new(atomic.Bool)
			w := newWorld(t, worldOptions{portal: true, wrap: func(s tokenstore.Store, c cache.Store) (tokenstore.Store, cache.Store) {
				return brokenStore{downStore{s, down}}, c
			}})
			logout := w.portalURL() + "/logout"
			if at == "a site" {
				logout = w.siteURL("one") + "/.gatehouse/logout"
			}
			b := newBrowser(t)
			b.get(w.siteURL("one")+"/").signIn("alice", "wonderland").want(200, "hello alice")
			b.get(w.siteURL("two")+"/").want(200, "hello alice")
			b.get(logout).want(200, "alice")
			down.Store(true)
			b.submit(nil).want(503, "")
			b.get(logout).want(503, "")
			down.Store(false)
			b.get(logout).want(200, "You are signed out")
			rows, err := w.store.ListSessions(t.Context(), tokenstore.SessionQuery{All: true})
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range rows {
				if row.RevokedAt.IsZero() {
					t.Errorf("the session of %s lives", row.ClientID)
				}
			}
			if len(rows) != 3 {
				t.Errorf("%d sessions, want those of the portal and two sites", len(rows))
			}
			b.get(logout).want(200, "You are signed out") // without a cookie
		})
	}
}
