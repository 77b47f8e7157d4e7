package flows_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
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

// journal notes in which order the store was told what.
type journal struct {
	tokenstore.Store
	mu    sync.Mutex
	wrote []string
}

func (j *journal) note(what string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.wrote = append(j.wrote, what)
}

func (j *journal) Enqueue(ctx context.Context, e tokenstore.OutboxEntry) error {
	j.note(string(e.Kind))
	return j.Store.Enqueue(ctx, e)
}

func (j *journal) RevokeSession(ctx context.Context, id uuid.UUID) ([]uuid.UUID, error) {
	j.note("revoked")
	return j.Store.RevokeSession(ctx, id)
}

// TestLogout_ClientsAreNotedBeforeTheSessionsEnd: a crash between the two must
// not be the last that is heard of those who are to be told.
func TestLogout_ClientsAreNotedBeforeTheSessionsEnd(t *testing.T) {
	var j journal
	clients := oauthClients()
	clients[0].BackchannelLogoutURI = "http://127.0.0.1:1/"
	w := newWorld(t, worldOptions{portal: true, clients: clients, wrap: func(s tokenstore.Store, c cache.Store) (tokenstore.Store, cache.Store) {
		j.Store = s
		return &j, c
	}})
	b := w.signedInBrowser()
	web := app{t, w, "web", "web-secret-of-enough-length"}
	web.post("token", redeem(w.code(b, authorizeParams("web", "https://web.test/cb", "openid"))))
	b.get(w.portalURL()+"/logout").submit(nil).want(200, "You are signed out")
	j.mu.Lock()
	defer j.mu.Unlock()
	if diff := cmp.Diff([]string{string(tokenstore.OutboxBackchannelLogout), "revoked"}, j.wrote); diff != "" {
		t.Errorf("the order of writes (-want +got):\n%s", diff)
	}
}
