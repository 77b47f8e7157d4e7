package flows_test

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
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

	b.get(w.portalURL()+"/").want(200, "two.sites.test").want(200, "Apps with access")
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
	b.submit(url.Values{"session": {two[1]}}).want(200, "That session has ended")
	if strings.Contains(b.body, "two.sites.test") {
		t.Error("the ended session is still listed")
	}
	b.submit(url.Values{"client": {"other"}}).want(200, "no longer has access")
	if got := other.post("token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {got.text("refresh_token")}}); got.text("error") != "invalid_grant" {
		t.Errorf("the application goes on: %v", got.body)
	}
	held.get(w.portalURL()+"/authorize?"+params.Encode()).want(200, "e-mail address") // asked again
}

// What is not a person's own is neither ended nor said to be, whatever they send.
func TestHome_SaysWhatItDid(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	bob := newBrowser(t)
	bob.get(w.siteURL("one")+"/").signIn("bob", "builder").want(200, "hello bob")
	bobs := w.portalSession().ID.String()
	b := newBrowser(t)
	b.get(w.siteURL("one")+"/").signIn("alice", "wonderland").want(200, "hello alice")
	b.get(w.portalURL() + "/")
	for name, form := range map[string]url.Values{
		"nothing":                {},
		"junk":                   {"session": {"x"}},
		"a session of nobody":    {"session": {"01890000-0000-7000-8000-000000000000"}},
		"another's session":      {"session": {bobs}},
		"a client of nobody":     {"client": {"nobody"}},
		"one that was not asked": {"client": {"other"}},
		"NUL":                    {"client": {"\x00"}},
		"not UTF-8":              {"client": {"\xff"}},
	} {
		page := *b
		page.submit(form)
		if page.last.StatusCode != 200 || !strings.Contains(page.body, "not one of yours") || strings.Contains(page.body, "That session has ended") {
			t.Errorf("%s: %d %s", name, page.last.StatusCode, page.body)
		}
	}
	bob.get(w.portalURL()+"/").want(200, "bob")
}

// Enter in the address bar after a form was answered leads on.
func TestPages_AnAddressOfAnAnswerLeadsOn(t *testing.T) {
	portal, single := newWorld(t, worldOptions{portal: true, clients: oauthClients()}), newWorld(t, worldOptions{clients: oauthClients()})
	for address, to := range map[string]string{
		portal.portalURL() + "/login":                       `href="/"`,
		portal.portalURL() + "/consent":                     `href="/"`,
		portal.portalURL() + "/device/decide":               `href="/device"`,
		single.siteURL("one") + "/.gatehouse/consent":       `href="/"`,
		single.siteURL("one") + "/.gatehouse/device/decide": `href="/.gatehouse/device"`,
	} {
		b := newBrowser(t)
		b.get(address).want(405, to)
		if b.last.Header.Get("Allow") != "POST" {
			t.Errorf("%s: Allow is %q", address, b.last.Header.Get("Allow"))
		}
		if got := portal.send("GET", address, "", "Accept: application/json"); got.status != 405 || !strings.HasPrefix(got.header.Get("Content-Type"), "application/problem+json") {
			t.Errorf("%s for a program: %d %s", address, got.status, got.text)
		}
	}
}

// The own page of somebody who is not signed in is a way in, at a portal too (a dead end
// there was found by newcomers), by a password and by a provider, after a sign-out too.
func TestHome_LeadsInAndBack(t *testing.T) {
	for _, portal := range []bool{true, false} {
		w := newWorld(t, worldOptions{portal: portal})
		home := w.siteURL("one") + "/.gatehouse/"
		if portal {
			home = w.portalURL() + "/"
		}
		b := newBrowser(t)
		b.get(home).want(200, "You are not signed in").follow("Sign in").signIn("alice", "wonderland").want(200, "Where you are signed in")
		b.get(home+"logout").submit(nil).want(200, "You are signed out").follow("Sign in again").signIn("bob", "builder").want(200, map[bool]string{true: "signed in as", false: "hello bob at /"}[portal])

		rp, m := moodyWorlds(t, worldOptions{portal: portal}, nil)
		home = rp.siteURL("app") + "/.gatehouse/"
		if portal {
			home = rp.portalURL() + "/"
		}
		b = newBrowser(t)
		b.get(home).want(200, "You are not signed in").follow("Sign in").signIn("alice", "wonderland").want(200, "Where you are signed in")
		b.get(home+"logout").submit(nil).want(200, "You are signed out")
		m.prompts()
		b.get(home).follow("Sign in").want(200, `name="password"`) // no silent sign-in
		if got := m.prompts(); len(got) == 0 || got[0] != "select_account" {
			t.Errorf("portal %t: asked for prompts %q", portal, got)
		}
		b.signIn("alice", "wonderland").want(200, "Where you are signed in")
	}
}

// A sign-in page for one's own page that stayed open too long leads to that page.
func TestHome_AStalePageLeadsBack(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true})
	b := newBrowser(t)
	b.get(w.portalURL() + "/").follow("Sign in")
	w.clock.advance(2 * time.Hour)
	b.signIn("alice", "wonderland").want(400, "Please start again").follow("Start again").want(200, "You are not signed in")
}
