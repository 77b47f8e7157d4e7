package flows_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows/session"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// signInAgain has a client ask for a new sign-in, and signs in.
func (w *world) signInAgain(b *browser, prompt, user, password string) {
	w.t.Helper()
	params := with(authorizeParams("web", "https://web.test/cb", "openid"), set("prompt", prompt))
	b.get(w.portalURL()+"/authorize?"+params.Encode()).want(http.StatusOK, "")
	b.signIn(user, password)
	if to := b.last.Header.Get("Location"); !strings.Contains(to, "code=") {
		w.t.Fatalf("no code after a new sign-in: %d %s\n%s", b.last.StatusCode, to, b.body)
	}
}

// wantSignedOut fails where a browser is still served by a site or the portal.
func (w *world) wantSignedOut(b *browser, sites ...string) {
	w.t.Helper()
	for _, site := range sites {
		if b.get(w.siteURL(site) + "/"); b.last.StatusCode != http.StatusSeeOther {
			w.t.Errorf("site %s still answers %d %s", site, b.last.StatusCode, b.body)
		}
	}
	params := with(authorizeParams("web", "https://web.test/cb", "openid"), set("prompt", "none"))
	b.get(w.portalURL() + "/authorize?" + params.Encode())
	if to := b.last.Header.Get("Location"); !strings.Contains(to, "error=login_required") {
		w.t.Errorf("the portal still gives codes: %d %s", b.last.StatusCode, to)
	}
	rows, err := w.store.ListSessions(w.t.Context(), tokenstore.SessionQuery{All: true})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, row := range rows {
		if row.RevokedAt.IsZero() {
			w.t.Errorf("the session of %s lives", row.ClientID)
		}
	}
}

// Who signs in again is signed in once: no site is signed out by it, and a
// sign-out anywhere ends all.
func TestFormer_TheSamePersonSignsInAgain(t *testing.T) {
	for _, prompt := range []string{"login", "select_account"} {
		for at, logout := range map[string]func(w *world) string{
			"the portal":  func(w *world) string { return w.portalURL() + "/logout" },
			"an old site": func(w *world) string { return w.siteURL("one") + "/.gatehouse/logout" },
			"a new site":  func(w *world) string { return w.siteURL("two") + "/.gatehouse/logout" },
		} {
			t.Run(prompt+", sign-out at "+at, func(t *testing.T) {
				w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
				all := newBrowser(t)
				all.get(w.siteURL("one")+"/").signIn("alice", "wonderland").want(200, "hello alice")
				b := all.held()
				for range 3 {
					w.signInAgain(b, prompt, "alice", "wonderland")
				}
				b.get(w.siteURL("one")+"/").want(http.StatusOK, "hello alice") // without a redirect
				all.get(w.siteURL("two")+"/").want(http.StatusOK, "hello alice")
				all.get(w.portalURL()+"/").want(http.StatusOK, "alice")
				if n := strings.Count(all.body, "<bdi>portal.test</bdi>"); n != 1 {
					t.Errorf("the page shows %d sign-ins at the portal, want one:\n%s", n, all.body)
				}
				b.get(logout(w)).submit(nil).want(http.StatusOK, "signed out")
				w.wantSignedOut(b, "one", "two")
			})
		}
	}
}

// Another person's sign-in in the same browser signs the first one out.
func TestFormer_AnotherPersonSignsIn(t *testing.T) {
	clients := oauthClients()
	clients[0].BackchannelLogoutURI = "http://127.0.0.1:1/nobody"
	notes := &told{}
	w := newWorld(t, worldOptions{portal: true, clients: clients, wrap: func(s tokenstore.Store, c cache.Store) (tokenstore.Store, cache.Store) {
		notes.Store = s
		return notes, c
	}})
	all := newBrowser(t)
	all.get(w.siteURL("one")+"/").signIn("alice", "wonderland").want(200, "hello alice")
	b := all.held()
	w.tokens(b, set("scope", "openid"))
	w.signInAgain(b, "login", "alice", "wonderland")
	w.signInAgain(b, "select_account", "bob", "builder")
	if b.get(w.siteURL("one") + "/"); b.last.StatusCode != http.StatusSeeOther {
		t.Errorf("site one still serves the first: %d %s", b.last.StatusCode, b.body)
	}
	all.get(w.siteURL("one")+"/").want(http.StatusOK, "hello bob")
	if len(notes.clients) != 1 {
		t.Errorf("told are %v, want web once", notes.clients)
	}
	b.get(w.portalURL()+"/logout").submit(nil).want(http.StatusOK, "signed out")
	w.wantSignedOut(b, "one")
}

// While the first cannot be signed out the other is not let in, and has nothing
// to lose by trying again.
func TestFormer_AnotherPersonWaitsForTheStore(t *testing.T) {
	down := new(atomic.Bool)
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients(), wrap: func(s tokenstore.Store, c cache.Store) (tokenstore.Store, cache.Store) {
		return brokenStore{downStore{s, down}}, c
	}})
	b := w.signedInBrowser()
	params := with(authorizeParams("web", "https://web.test/cb", "openid"), set("prompt", "login"))
	b.get(w.portalURL() + "/authorize?" + params.Encode())
	down.Store(true)
	b.signIn("bob", "builder")
	if b.last.StatusCode != http.StatusServiceUnavailable || len(b.last.Cookies()) > 0 {
		t.Errorf("%d with %v, want 503 and no cookie", b.last.StatusCode, b.last.Cookies())
	}
	if b.get(w.siteURL("one") + "/"); b.last.StatusCode == http.StatusOK {
		t.Errorf("site one answers %s", b.body)
	}
	down.Store(false)
	w.signInAgain(b, "login", "bob", "builder")
	rows, err := w.store.ListSessions(t.Context(), tokenstore.SessionQuery{All: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if row.ClientID == "one.sites.test" && row.RevokedAt.IsZero() {
			t.Error("the first one's session lives")
		}
	}
}

// A sign-in that was idle for too long, and whose site was not, is renewed too.
func TestFormer_AfterTheSignInWasIdle(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	all := newBrowser(t)
	w.sessions.Configure(session.Settings{Idle: 24 * time.Hour})
	all.get(w.portalURL()+"/device").signIn("alice", "wonderland").want(http.StatusOK, "code")
	w.sessions.Configure(session.Settings{})
	all.get(w.siteURL("one")+"/").want(http.StatusOK, "hello alice")
	b := all.held()
	w.clock.advance(2 * 24 * time.Hour)
	b.get(w.siteURL("one")+"/").want(http.StatusOK, "hello alice")
	all.get(w.siteURL("two")+"/").signIn("alice", "wonderland").want(200, "hello alice")
	b.get(w.siteURL("one")+"/").want(http.StatusOK, "hello alice")
	b.get(w.portalURL()+"/logout").submit(nil).want(http.StatusOK, "signed out")
	w.wantSignedOut(b, "one", "two")
}

// A sign-in that was ended by itself still stands between those that are live.
func TestFormer_AfterTheSignInWasEndedByItself(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	b := newBrowser(t)
	b.get(w.siteURL("one")+"/").signIn("alice", "wonderland").want(200, "hello alice")
	b = b.held()
	w.signInAgain(b, "login", "alice", "wonderland")
	rows, err := w.store.ListSessions(t.Context(), tokenstore.SessionQuery{All: true, ClientID: ":portal"})
	if err != nil || len(rows) != 2 {
		t.Fatalf("%d sign-ins at the portal, %v", len(rows), err)
	}
	if err := w.sessions.End(t.Context(), rows[0].ID); err != nil { // the later one
		t.Fatal(err)
	}
	b.get(w.siteURL("one")+"/").want(http.StatusOK, "hello alice")
	w.signInAgain(b, "login", "alice", "wonderland")
	b.get(w.portalURL()+"/logout").submit(nil).want(http.StatusOK, "signed out")
	w.wantSignedOut(b, "one")
}

// The same holds at a site of its own.
func TestFormer_AtASiteOfItsOwn(t *testing.T) {
	w := newWorld(t, worldOptions{})
	b := newBrowser(t)
	again := func(user, password string) {
		t.Helper()
		b.get(w.siteURL("one")+"/.gatehouse/login?prompt=select_account&return_to=/").signIn(user, password).want(http.StatusOK, "hello "+user)
	}
	again("alice", "wonderland")
	cookies := b.Jar.Cookies(mustParse(t, w.siteURL("one")))
	again("alice", "wonderland")
	first := cookies[len(cookies)-1]
	for _, c := range cookies {
		if c.Name == "gatehouse" {
			first = c
		}
	}
	if status := statusWith(t, w.siteURL("one")+"/", "gatehouse="+first.Value); status != http.StatusOK {
		t.Errorf("a request under way is answered %d", status)
	}
	b.get(w.siteURL("one")+"/.gatehouse/logout").submit(nil).want(http.StatusOK, "signed out")
	if status := statusWith(t, w.siteURL("one")+"/", "gatehouse="+first.Value); status == http.StatusOK {
		t.Error("the first session lives after the sign-out")
	}
	again("alice", "wonderland")
	again("bob", "builder")
	rows, err := w.store.ListSessions(t.Context(), tokenstore.SessionQuery{All: true})
	if err != nil {
		t.Fatal(err)
	}
	live := 0
	for _, row := range rows {
		if row.RevokedAt.IsZero() {
			live++
		}
	}
	if live != 1 {
		t.Errorf("%d sessions live, want bob's alone", live)
	}
}

func mustParse(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
