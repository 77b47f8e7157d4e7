package flows_test

import (
	"net/url"
	"strings"
	"testing"
)

func TestConsent_IsAskedOnceAndBoundToThePerson(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	b := w.signedInBrowser()
	params := authorizeParams("other", "https://other.test/cb", "openid email")
	b.get(w.portalURL()+"/authorize?"+params.Encode()).want(200, "e-mail address")
	asked := *b
	b.submit(url.Values{"decision": {"refuse"}})
	if !strings.Contains(b.last.Header.Get("Location"), "error=access_denied") {
		t.Fatalf("refusal: %s", b.last.Header.Get("Location"))
	}
	// Another person cannot answer for her.
	mallory := newBrowser(t)
	mallory.get(w.siteURL("one")+"/").signIn("bob", "builder").want(200, "hello bob")
	held := mallory.held()
	held.last, held.body = asked.last, asked.body
	held.submit(url.Values{"decision": {"approve"}}).want(400, "start again")

	b.get(w.portalURL() + "/authorize?" + params.Encode())
	b.submit(url.Values{"decision": {"approve"}})
	if !strings.Contains(b.last.Header.Get("Location"), "code=") {
		t.Fatalf("approval: %d %s", b.last.StatusCode, b.last.Header.Get("Location"))
	}
	w.code(b, params) // not asked again
	params.Set("scope", "openid email groups")
	b.get(w.portalURL()+"/authorize?"+params.Encode()).want(200, "groups")
	params.Set("prompt", "none")
	b.get(w.portalURL() + "/authorize?" + params.Encode())
	if !strings.Contains(b.last.Header.Get("Location"), "error=consent_required") {
		t.Errorf("prompt=none: %s", b.last.Header.Get("Location"))
	}
}
