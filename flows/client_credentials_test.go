package flows_test

import (
	"net/url"
	"strings"
	"testing"
)

func TestClientCredentials(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	web := app{t, w, "web", "web-secret-of-enough-length"}
	got := web.post("token", url.Values{"grant_type": {"client_credentials"}, "resource": {w.siteURL("one")}})
	if got.status != 200 || got.text("refresh_token") != "" || got.text("id_token") != "" {
		t.Fatalf("%d %v", got.status, got.body)
	}
	if open := w.bearer("one", got.text("access_token")); open.status != 200 || !strings.Contains(open.body["text"].(string), "client:web") {
		t.Errorf("%d %v", open.status, open.body)
	}
	if open := w.bearer("two", got.text("access_token")); open.status != 401 {
		t.Errorf("a token of one site opened another: %d", open.status)
	}
	web.post("revoke", url.Values{"token": {got.text("access_token")}})
	if open := w.bearer("one", got.text("access_token")); open.status != 401 {
		t.Errorf("a revoked token opened the site: %d", open.status)
	}
}
