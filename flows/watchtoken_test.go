package flows_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/guard"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// called has what is watched send on a channel.
func called() (stop func(), ended chan struct{}) {
	ended = make(chan struct{}, 2)
	return func() { ended <- struct{}{} }, ended
}

func wantCalled(t *testing.T, what string, ended chan struct{}) {
	t.Helper()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Errorf("%s: the stream goes on", what)
	}
}

func TestWatchToken_StopsWhatATokenWithoutSessionOpened(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	web := app{t, w, "web", "web-secret-of-enough-length"}
	token := web.post("token", url.Values{"grant_type": {"client_credentials"}, "resource": {w.siteURL("app")}}).text("access_token")
	req := httptest.NewRequest(http.MethodGet, w.siteURL("app")+"/", nil)
	req.Header.Set("Authorization", "Bearer "+token)
	id, err := w.gateway.Guard().Authenticate(req, req.Host, false, guard.How{})
	if err != nil {
		t.Fatal(err)
	}
	if id.TokenExpires.Before(w.clock.now()) || id.TokenExpires.After(w.clock.now().Add(time.Hour)) {
		t.Errorf("the token expires at %s", id.TokenExpires)
	}
	first, ended := called()
	release := w.gateway.WatchToken(id, first)
	defer release()
	gone, never := called()
	w.gateway.WatchToken(id, gone)()
	web.post("revoke", url.Values{"token": {token}})
	wantCalled(t, "revoked", ended)
	late, again := called()
	w.gateway.WatchToken(id, late)()
	wantCalled(t, "revoked before", again)
	release()
	if len(ended) != 0 || len(never) != 0 {
		t.Error("stop is called again, or for a stream that has ended")
	}

	soon, expired := called()
	defer w.gateway.WatchToken(&identity.Identity{TokenID: "soon", TokenExpires: w.clock.now().Add(10 * time.Millisecond)}, soon)()
	wantCalled(t, "expired", expired)
}
