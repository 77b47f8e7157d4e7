package flows_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/client"
)

func authorizeParams(id, redirectURI, scope string) url.Values {
	return url.Values{
		"response_type": {"code"}, "client_id": {id}, "redirect_uri": {redirectURI}, "scope": {scope}, "state": {"s t/ä"},
		"nonce": {"n-1"}, "code_challenge": {client.ChallengeS256(verifier)}, "code_challenge_method": {"S256"},
	}
}

// signedInBrowser is signed in at the portal.
func (w *world) signedInBrowser() *browser {
	w.t.Helper()
	b := newBrowser(w.t)
	b.get(w.siteURL("one")+"/").signIn("alice", "wonderland").want(200, "hello alice")
	return b.held()
}

// getConsenting is get, and consents where that is asked for.
func (b *browser) getConsenting(address string) *browser {
	b.t.Helper()
	b.get(address)
	if b.last.StatusCode == http.StatusOK && strings.Contains(b.body, `/consent"`) {
		b.submit(url.Values{"decision": {"approve"}})
	}
	return b
}

// code asks for a code as somebody who is signed in.
func (w *world) code(b *browser, params url.Values) string {
	w.t.Helper()
	b.getConsenting(w.portalURL() + "/authorize?" + params.Encode())
	to, err := url.Parse(b.last.Header.Get("Location"))
	if err != nil || to.Query().Get("code") == "" {
		w.t.Fatalf("no code: %d %s %s", b.last.StatusCode, b.last.Header.Get("Location"), b.body)
	}
	if got := to.Query(); got.Get("state") != params.Get("state") || got.Get("iss") != w.portalURL() {
		w.t.Fatalf("state or iss is not ours: %s", to)
	}
	return to.Query().Get("code")
}

func redeem(code string) url.Values {
	return url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {"https://web.test/cb"}, "code_verifier": {verifier}}
}

func TestCode_WrongAttemptsConsumeNothingAndReplayRevokes(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	web := app{t, w, "web", "web-secret-of-enough-length"}
	b := w.signedInBrowser()
	code := w.code(b, authorizeParams("web", "https://web.test/cb", "openid offline_access"))

	wrong := map[string]struct {
		who    app
		change func(url.Values)
		error  string
		status int
	}{
		"another client":    {app{t, w, "other", "other-secret-of-enough-length"}, func(url.Values) {}, "invalid_grant", 400},
		"wrong secret":      {app{t, w, "web", "wrong-secret"}, func(url.Values) {}, "invalid_client", 401},
		"no authentication": {app{t, w, "web", ""}, func(url.Values) {}, "invalid_client", 401},
		"unknown client":    {app{t, w, "nobody", ""}, func(url.Values) {}, "invalid_client", 401},
		"wrong verifier":    {web, func(f url.Values) { f.Set("code_verifier", strings.Repeat("x", 43)) }, "invalid_grant", 400},
		"no verifier":       {web, func(f url.Values) { f.Del("code_verifier") }, "invalid_grant", 400},
		"short verifier":    {web, func(f url.Values) { f.Set("code_verifier", "x") }, "invalid_grant", 400},
		"wrong redirect":    {web, func(f url.Values) { f.Set("redirect_uri", "https://web.test/cb2") }, "invalid_grant", 400},
		"no redirect":       {web, func(f url.Values) { f.Del("redirect_uri") }, "invalid_grant", 400},
		"truncated code":    {web, func(f url.Values) { f.Set("code", code[:len(code)-1]) }, "invalid_grant", 400},
		"no code":           {web, func(f url.Values) { f.Del("code") }, "invalid_request", 400},
		"twice":             {web, func(f url.Values) { f.Add("code", code) }, "invalid_request", 400},
		"no grant":          {web, func(f url.Values) { f.Del("grant_type") }, "invalid_request", 400},
		"unknown grant":     {web, func(f url.Values) { f.Set("grant_type", "password") }, "unsupported_grant_type", 400},
		"foreign grant":     {web, func(f url.Values) { f.Set("grant_type", client.GrantDevice) }, "unauthorized_client", 400},
		"foreign resource":  {web, func(f url.Values) { f.Set("resource", "https://evil.test") }, "invalid_target", 400},
		"two methods":       {web, func(f url.Values) { f.Set("client_secret", "web-secret-of-enough-length") }, "invalid_request", 400},
	}
	for name, c := range wrong {
		form := redeem(code)
		c.change(form)
		if got := c.who.post("token", form); got.status != c.status || got.text("error") != c.error {
			t.Errorf("%s: %d %v", name, got.status, got.body)
		}
	}

	first := web.post("token", redeem(code))
	if first.status != 200 || first.text("refresh_token") == "" || first.text("id_token") == "" || first.text("token_type") != "Bearer" {
		t.Fatalf("the right attempt: %d %v", first.status, first.body)
	}
	active := func(raw string) bool {
		return web.post("introspect", url.Values{"token": {raw}}).body["active"] == true
	}
	if !active(first.text("access_token")) || !active(first.text("refresh_token")) {
		t.Fatal("fresh tokens are not active")
	}
	wantEndedByReplay(t, "the client", func() answer { return web.post("token", redeem(code)) }, func() bool {
		return active(first.text("access_token")) || active(first.text("refresh_token"))
	})
	// What else the person had goes on.
	b.get(w.siteURL("one")+"/").want(200, "hello alice")
}

// TestCode_ParallelRedemptionsHaveOneWinner: a code makes one session, and whoever made
// it is told (13 of 20 rounds had no winner once, field case E7). One of so many may come
// when the winner has been answered, and ends what it got (RFC 6749, section 4.1.2).
func TestCode_ParallelRedemptionsHaveOneWinner(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	web := app{t, w, "web", "web-secret-of-enough-length"}
	code := w.code(w.signedInBrowser(), authorizeParams("web", "https://web.test/cb", "openid"))
	var mu sync.Mutex
	won := 0
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if got := web.post("token", redeem(code)); got.status == 200 {
				mu.Lock()
				won++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if won != 1 {
		t.Errorf("%d redemptions won", won)
	}
}
