package flows_test

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
)

func TestHome_ListsAndEndsOnesOwn(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	b := newBrowser(t)
	b.get(w.siteURL("one")+"/").signIn("alice", "wonderland").want(200, "hello alice")
	b.get(w.siteURL("two")+"/").want(200, "hello alice")
	other := app{t, w, "other", "other-secret-of-enough-length"}
	held := b.held()
	params := authorizeParams("other", "https://other.test/cb", "openid email offline_access")
	held.get(w.portalURL() + "/authorize?" + params.Encode()).submit(url.Values{"decision": {"approve"}})
	to, _ := url.Parse(held.last.Header.Get("Location"))
	got := other.post("token", url.Values{
		"grant_type": {"authorization_code"}, "code": {to.Query().Get("code")}, "redirect_uri": {"https://other.test/cb"}, "code_verifier": {verifier},
	})
	if got.status != 200 {
		t.Fatalf("%d %v", got.status, got.body)
	}

	b.get(w.portalURL()+"/").want(200, "two.sites.test").want(200, "What you allowed")
	home := *b
	two := regexp.MustCompile(`(?s)two\.sites\.test.*?name="session" value="([^"]+)"`).FindStringSubmatch(b.body)
	if two == nil {
		t.Fatal(b.body)
	}
	// Somebody else can end nothing of hers.
	bob := newBrowser(t)
	bob.get(w.siteURL("one")+"/").signIn("bob", "builder").want(200, "hello bob")
	bob.get(w.portalURL() + "/").submit(url.Values{"session": {two[1]}})
	b.get(w.siteURL("two")+"/").want(200, "hello alice")

	b.last, b.body = home.last, home.body
	b.submit(url.Values{"session": {two[1]}}).want(200, "Signed out there")
	if strings.Contains(b.body, "two.sites.test") {
		t.Error("the ended session is still listed")
	}
	b.submit(url.Values{"client": {"other"}}).want(200, "Withdrawn")
	if got := other.post("token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {got.text("refresh_token")}}); got.text("error") != "invalid_grant" {
		t.Errorf("the application goes on: %v", got.body)
	}
	held.get(w.portalURL()+"/authorize?"+params.Encode()).want(200, "e-mail address") // asked again
}
