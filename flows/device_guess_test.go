package flows_test

import (
	"context"
	"net/http"
	"net/http/httptest"
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
			req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, w.portalURL()+"/device?user_code=BCDF-GHJK", nil)
			req.Header.Set("Sec-Fetch-Site", "none")
			resp, err := b.Do(req)
			if err == nil {
				_ = resp.Body.Close()
			}
		})
	}
	all.Wait()
	if n := slow.lookups.Load(); n > 5 || n == 0 {
		t.Errorf("%d codes were looked up before any was counted, want 5 at most", n)
	}
}

// open is get as a browser does it for an address that a person typed, or that a
// program opened.
func (b *browser) open(u string) *browser {
	b.t.Helper()
	return b.led(u, "none")
}

// led opens an address as a browser does that was led there from such a site.
func (b *browser) led(u, site string) *browser {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, u, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Sec-Fetch-Mode", "navigate")
	req.Header.Set("Sec-Fetch-Site", site)
	return b.do(req)
}

// Wrong codes of one person are nobody else's, not even of those who share the
// address, as an office does.
func TestDevice_GuessesOfOneLockOutNobodyAtTheSameAddress(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	cli := app{t, w, "cli", ""}
	started := cli.device()
	guesser := newBrowser(t)
	guesser.get(started.text("verification_uri")).signIn("alice", "wonderland")
	for range 5 {
		guesser.submit(url.Values{"user_code": {"BBBB-BBBB"}}).want(404, "not known")
	}
	guesser.submit(url.Values{"user_code": {started.text("user_code")}}).want(429, "Too many wrong codes")
	other := newBrowser(t)
	other.get(started.text("verification_uri")).signIn("bob", "builder").
		submit(url.Values{"user_code": {started.text("user_code")}}).want(200, "decision")
}

// A link guesses in nobody's name: where another site leads there, or a browser
// does not tell, the code is filled in, and the person looks at it first.
func TestDevice_LinksAreNoGuesses(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	cli := app{t, w, "cli", ""}
	started := cli.device()
	b := newBrowser(t)
	b.get(started.text("verification_uri")).signIn("alice", "wonderland")
	for range 6 {
		for _, site := range []string{"cross-site", "same-site", ""} {
			b.led(started.text("verification_uri")+"?user_code=BBBB-BBBB", site).want(200, "BBBB-BBBB")
		}
	}
	b.led(started.text("verification_uri_complete"), "cross-site").want(200, started.text("user_code"))
	b.submit(url.Values{"user_code": {started.text("user_code")}}).want(200, "decision")
	for range 5 {
		b.open(started.text("verification_uri")+"?user_code=BBBB-BBBB").want(404, "not known")
	}
	b.open(started.text("verification_uri_complete")).want(429, "Too many wrong codes")
}

// Who hangs up when the code has been looked up is counted all the same.
func TestDevice_AGuessOfWhoHangsUpIsCounted(t *testing.T) {
	hangUp := &hangingUp{}
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients(), wrap: func(s tokenstore.Store, c cache.Store) (tokenstore.Store, cache.Store) {
		hangUp.Store = c
		return s, hangUp
	}})
	b := newBrowser(t)
	b.get(w.portalURL()+"/device").signIn("alice", "wonderland")
	for range 5 {
		ctx, cancel := context.WithCancel(t.Context())
		hangUp.cancel = cancel
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, w.portalURL()+"/device?user_code=BBBB-BBBB", nil)
		r.RequestURI = "/device?user_code=BBBB-BBBB"
		r.Header.Set("Sec-Fetch-Site", "none")
		for _, c := range b.Jar.Cookies(mustParse(t, w.portalURL())) {
			r.AddCookie(c)
		}
		rec := httptest.NewRecorder()
		w.gateway.ServePortal(rec, asRequest(r))
		if rec.Code != http.StatusNotFound {
			t.Fatalf("%d %s", rec.Code, rec.Body)
		}
	}
	hangUp.cancel = nil
	b.open(w.portalURL()+"/device?user_code=BBBB-BBBB").want(429, "Too many wrong codes")
}

// hangingUp has the client leave once a user code was looked up.
type hangingUp struct {
	cache.Store
	cancel func()
}

func (h *hangingUp) Alias(ctx context.Context, alias string) (string, error) {
	flow, err := h.Store.Alias(ctx, alias)
	if h.cancel != nil {
		h.cancel()
	}
	return flow, err
}

func (h *hangingUp) Add(ctx context.Context, counts ...cache.Count) ([]cache.Throttle, error) {
	if err := ctx.Err(); err != nil {
		return nil, cache.ErrUnavailable
	}
	return h.Store.Add(ctx, counts...)
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

// A sign-in that somebody cancels at the provider is no guess, whatever code it was
// begun for; and the device whose code it was is told.
func TestDevice_CancellationsAreNoGuesses(t *testing.T) {
	_, rp := twoWorldsWith(t, worldOptions{clients: oauthClients()})
	device := rp.siteURL("app") + "/.gatehouse/device"
	start := func() answer {
		return rp.send(http.MethodPost, device+"_authorization", url.Values{"client_id": {"cli"}}.Encode(), "Content-Type: application/x-www-form-urlencoded").answer
	}
	cancelled := func(code string) {
		t.Helper()
		b := newBrowser(t).held()
		b.get(device + "?user_code=" + code)
		to, err := url.Parse(b.last.Header.Get("Location"))
		if err != nil || to.Query().Get("state") == "" {
			t.Fatalf("%d %s", b.last.StatusCode, b.body)
		}
		answer := url.Values{"error": {"access_denied"}, "state": {to.Query().Get("state")}}
		b.get(to.Query().Get("redirect_uri")+"?"+answer.Encode()).want(403, "cancelled or refused")
	}
	started, other := start(), start()
	for range 5 {
		cancelled("BBBB-BBBB")
	}
	b := newBrowser(t)
	b.get(device).signIn("alice", "wonderland").want(200, "code")
	b.submit(url.Values{"user_code": {started.text("user_code")}}).want(200, "decision")
	cancelled(other.text("user_code"))
	got := rp.send(http.MethodPost, rp.siteURL("app")+"/.gatehouse/token", url.Values{
		"grant_type": {client.GrantDevice}, "device_code": {other.text("device_code")}, "client_id": {"cli"},
	}.Encode(), "Content-Type: application/x-www-form-urlencoded")
	if got.answer.text("error") != "access_denied" {
		t.Errorf("the device is told %s", got.text)
	}
}
