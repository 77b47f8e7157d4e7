package flows_test

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// slowAliases looks a user code up only when several lookups are under way, or
// nobody else has come for a while.
type slowAliases struct {
	cache.Store
	lookups atomic.Int32
	many    chan struct{} // closed when there are
}

func (s *slowAliases) Alias(ctx context.Context, alias string) (string, error) {
	if s.lookups.Add(1) == 20 {
		close(s.many)
	}
	select {
	case <-s.many:
	case <-time.After(200 * time.Millisecond):
	}
	return s.Store.Alias(ctx, alias)
}

// RFC 8628, section 5.1: who sends many guesses at once has no more of them than
// who sends them one after the other.
func TestDevice_GuessesAtOnceAreCounted(t *testing.T) {
	var slow *slowAliases
	w := newWorld(t, worldOptions{portal: true, clients: deviceClients(), wrap: func(s tokenstore.Store, c cache.Store) (tokenstore.Store, cache.Store) {
		slow = &slowAliases{Store: c, many: make(chan struct{})}
		return s, slow
	}})
	b := w.signedInBrowser()
	var all sync.WaitGroup
	for range 40 {
		all.Go(func() {
			resp, err := b.Client.Get(w.portalURL() + "/device?user_code=BCDF-GHJK") //nolint:noctx // ends with the server
			if err == nil {
				_ = resp.Body.Close()
			}
		})
	}
	all.Wait()
	if n := slow.lookups.Load(); n > 5 {
		t.Errorf("%d codes were looked up before any was counted, want 5 at most", n)
	}
}

// A resource that was not authorised is refused, and costs the device nothing:
// its next poll delivers (RFC 8707, section 2.2).
func TestDevice_ARefusedResourceConsumesNothing(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: deviceClients()})
	one, two := w.siteURL("one"), w.siteURL("two")
	started := w.call("device_authorization", url.Values{"client_id": {"cli"}, "scope": {"openid"}, "resource": {one}})
	w.call("token", with(pollForm(started), set("resource", two))).refused(t, "pending", http.StatusBadRequest, "authorization_pending")
	w.approve(started, "alice", "wonderland", "approve").want(http.StatusOK, "")
	for name, resource := range map[string]string{"another": two, "not the client's": "https://evil.test", "malformed": "x"} {
		w.clock.advance(6 * time.Second)
		w.call("token", with(pollForm(started), set("resource", resource))).refused(t, name, http.StatusBadRequest, "invalid_target")
	}
	w.clock.advance(6 * time.Second)
	w.call("token", with(pollForm(started), set("device_code", client.ChallengeS256("x")))).refused(t, "junk", http.StatusBadRequest, "invalid_grant")
	got := w.call("token", with(pollForm(started), set("resource", one)))
	if got.status != http.StatusOK {
		t.Fatalf("the one that was: %d %s", got.status, got.text)
	}
	w.clock.advance(6 * time.Second)
	w.call("token", with(pollForm(started), set("resource", two))).refused(t, "delivered", http.StatusBadRequest, "invalid_grant")
}
