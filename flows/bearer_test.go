package flows_test

import (
	"net/http"
	"testing"
	"time"
)

// bearer calls a guarded site with an access token.
func (w *world) bearer(site, access string) answer {
	w.t.Helper()
	b := newBrowser(w.t)
	req, _ := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.siteURL(site)+"/api", nil)
	req.Header.Set("Authorization", "Bearer "+access)
	req.Header.Set("Accept", "application/json")
	b.do(req)
	return answer{status: b.last.StatusCode, header: b.last.Header, body: map[string]any{"text": b.body}}
}

func TestGuard_OpensByAccessToken(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	b := w.signedInBrowser()
	params := authorizeParams("web", "https://web.test/cb", "openid offline_access")
	params.Add("resource", w.siteURL("one"))
	web := app{t, w, "web", "web-secret-of-enough-length"}
	got := web.post("token", redeem(w.code(b, params)))
	access := got.text("access_token")
	open := w.bearer("one", access)
	if open.status != 200 || open.header.Get("Upstream-Authorization") != "" {
		t.Fatalf("%d %v", open.status, open.header)
	}
	for name, raw := range map[string]string{"truncated": access[:len(access)-2], "id token": got.text("id_token"), "refresh token": got.text("refresh_token")} {
		if open := w.bearer("one", raw); open.status != 401 {
			t.Errorf("%s: %d", name, open.status)
		}
	}
	// Two credentials of ours are refused; somebody else's pass on.
	with := func(authorization string) *browser {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, w.siteURL("one")+"/api", nil)
		req.Header.Set("Authorization", authorization)
		return b.do(req)
	}
	with("Bearer "+access).want(400, "two credentials")
	with("Basic YTpi").want(200, "hello alice")
	if b.last.Header.Get("Upstream-Authorization") != "Basic YTpi" {
		t.Error("the upstream's own Authorization was lost")
	}
	w.clock.advance(21 * time.Minute)
	if open := w.bearer("one", access); open.status != 401 {
		t.Errorf("an expired token opened the site: %d", open.status)
	}
}

// A token of another issuer is the upstream's business where a session lets the
// request pass, and the answer does not change when this node has come to know it.
func TestGuard_AnotherSitesTokenIsAnotherIssuers(t *testing.T) {
	w := newWorld(t, worldOptions{clients: oauthClients()})
	b := newBrowser(t)
	for _, site := range []string{"one", "two"} {
		b.get(w.siteURL(site)+"/").signIn("alice", "wonderland").want(http.StatusOK, "hello alice")
	}
	access := w.codeAt(b.held(), "one", "web").text("access_token")
	for _, when := range []string{"unknown here", "known here"} {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, w.siteURL("two")+"/api", nil)
		req.Header.Set("Authorization", "Bearer "+access)
		b.do(req).want(http.StatusOK, "hello alice")
		if got := b.last.Header.Get("Upstream-Authorization"); got != "Bearer "+access {
			t.Errorf("%s: the upstream was given %.20q", when, got)
		}
		if open := w.bearer("two", access); open.status != http.StatusUnauthorized {
			t.Errorf("%s: it opens the site: %d", when, open.status)
		}
		if got := w.send(http.MethodGet, w.siteURL("one")+"/.gatehouse/userinfo", "", "Authorization: Bearer "+access); got.status != http.StatusOK {
			t.Fatalf("its own issuer says %d %s", got.status, got.text)
		}
	}
}
