package flows_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestPAR_IsSingleUseAndBoundToItsClient(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	web := app{t, w, "web", "web-secret-of-enough-length"}
	b := w.signedInBrowser()
	pushed := web.post("par", authorizeParams("web", "https://web.test/cb", "openid"))
	uri := pushed.text("request_uri")
	if pushed.status != 201 || !strings.HasPrefix(uri, "urn:ietf:params:oauth:request_uri:") {
		t.Fatalf("%d %v", pushed.status, pushed.body)
	}
	b.get(w.portalURL()+"/authorize?"+url.Values{"client_id": {"other"}, "request_uri": {uri}}.Encode()).want(400, "request_uri")
	b.get(w.portalURL() + "/authorize?" + url.Values{"client_id": {"web"}, "request_uri": {uri}}.Encode())
	to, _ := url.Parse(b.last.Header.Get("Location"))
	if to.Query().Get("code") == "" || to.Query().Get("state") != "s t/ä" {
		t.Fatalf("%d %s", b.last.StatusCode, to)
	}
	if got := web.post("token", redeem(to.Query().Get("code"))); got.status != 200 {
		t.Errorf("%d %v", got.status, got.body)
	}
	b.get(w.portalURL()+"/authorize?"+url.Values{"client_id": {"web"}, "request_uri": {uri}}.Encode()).want(400, "used already")
	for _, name := range []string{"state", "nonce", "redirect_uri", "code_challenge", "response_type"} {
		twice := authorizeParams("web", "https://web.test/cb", "openid")
		twice.Add(name, twice.Get(name))
		if got := web.post("par", twice); got.text("error") != "invalid_request" {
			t.Errorf("%s twice: %v", name, got.body)
		}
	}
	bad := authorizeParams("web", "https://evil.test/cb", "openid")
	if got := web.post("par", bad); got.text("error") != "invalid_request" {
		t.Errorf("a foreign redirect URI was pushed: %v", got.body)
	}
}

// A confidential client's pushes come from its own servers, whatever its users do:
// they are its own to pay for, and nobody else's of the same address; and it can
// have far more of them under way than an address.
func TestPAR_AConfidentialClientPaysForItsPushes(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	web, native := authorizeParams("web", "https://web.test/cb", "openid"), authorizeParams("native", "com.example.app:/cb", "openid")
	var last string
	for i := range 1000 {
		got := w.call("par", web, basic("web"))
		if got.status != http.StatusCreated {
			t.Fatalf("push %d: %d %s", i, got.status, got.text)
		}
		last = got.answer.text("request_uri")
	}
	w.toClient(w.signedInBrowser(), url.Values{"client_id": {"web"}, "request_uri": {last}, "redirect_uri": {"https://web.test/cb"}})
	for i := range 200 { // the browser's code, which nobody redeemed, is a sign-in's
		if got := w.call("par", native); got.status != http.StatusCreated {
			t.Fatalf("push %d of another client: %d %s", i, got.status, got.text)
		}
	}
	w.call("par", native).refused(t, "one beyond", http.StatusTooManyRequests, "temporarily_unavailable")
}
