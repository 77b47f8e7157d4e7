package oauth_test

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/gatehouse-auth/gatehouse/integration/chromium"
)

// servePage serves clients that run in the browser, and returns its port: it is
// reached as 127.0.0.1 and as localhost, which are two origins. library is the
// file of oauth4webapi.
func servePage(t *testing.T, library string) (port string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		files := map[string]string{
			"/": "page/plain.html", "/callback": "page/plain.html", "/plain.js": "page/plain.js",
			"/strict": "page/strict.html", "/strict/callback": "page/strict.html", "/strict.js": "page/strict.js",
			"/oauth4webapi.js": library,
		}
		if file := files[r.URL.Path]; file != "" {
			http.ServeFile(w, r, file)
			return
		}
		http.NotFound(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL[strings.LastIndexByte(server.URL, ':')+1:]
}

// tab is a tab of a real browser.
type tab struct {
	t   *testing.T
	ctx context.Context //nolint:containedctx // that is how chromedp names a tab
}

func (b tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
}

// open opens a page that says when it is done.
func (b tab) open(address string) {
	b.t.Helper()
	b.do("opening "+address, chromedp.Navigate(address), chromedp.WaitVisible(chromedp.CSS("#done")))
}

// signIn fills in the portal's form.
func (b tab) signIn(user, password string) {
	b.t.Helper()
	b.do("signing in", chromedp.WaitVisible(chromedp.CSS(`input[name="password"]`)),
		chromedp.SendKeys(chromedp.CSS(`input[name="username"]`), user),
		chromedp.SendKeys(chromedp.CSS(`input[name="password"]`), password),
		chromedp.Click(chromedp.CSS(`form button`)),
		// A public client at a loopback address is never trusted unasked (RFC 8252, section 8.6).
		chromedp.WaitVisible(chromedp.CSS(`button[value="approve"]`)), chromedp.Click(chromedp.CSS(`button[value="approve"]`)),
		chromedp.WaitVisible(chromedp.CSS("#done")))
}

// promised runs a script in the page and returns what its promise comes to.
func promised[T any](b tab, script string) T {
	b.t.Helper()
	value, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", script, err)
	}
	return value
}

// heard is an answer as the page could read it.
type heard struct {
	Status    int
	Challenge string
	Body      map[string]any
}

func (h heard) text(name string) string { s, _ := h.Body[name].(string); return s }

// TestPage_SignsInWithFetch: a page of another origin redeems its code, asks who it
// is, refreshes and revokes with fetch(), and reads the errors; a browser's own
// rules decide what it may see. A page of an origin that no client has sees
// nothing but metadata. The tests with a browser run alone: what it does is bound
// in time.
func TestPage_SignsInWithFetch(t *testing.T) {
	port := servePage(t, "")
	w := start(t, "http", `client page {
		public
		first_party
		redirect_uri http://127.0.0.1/callback
		scopes openid email offline_access
	}`)
	b := tab{t, chromium.Start(t, "")}
	b.open("http://127.0.0.1:" + port + "/")
	promised[bool](b, `begin("`+w.issuer+`", "page").then(() => true)`)
	b.signIn("alice", alicePassword)
	got := promised[struct {
		Keys                                                   int
		Junk, Stranger, Tokens, Person, Fresh, Revoked, Nobody heard
	}](b, "result")
	for _, tokens := range []heard{got.Tokens, got.Fresh} {
		for _, name := range []string{"access_token", "refresh_token", "id_token"} {
			w.node.Secrets.Learn(name, tokens.text(name))
		}
	}
	if got.Junk.Status != http.StatusBadRequest || got.Junk.text("error") != "invalid_grant" {
		t.Errorf("a junk code: %+v", got.Junk)
	}
	if got.Stranger.Status != http.StatusUnauthorized || got.Stranger.text("error") != "invalid_client" || got.Stranger.Challenge == "" {
		t.Errorf("an unknown client: %+v", got.Stranger)
	}
	if got.Keys == 0 || got.Tokens.Status != http.StatusOK || got.Fresh.Status != http.StatusOK || got.Revoked.Status != http.StatusOK {
		t.Errorf("%d keys; the code: %d %s, the refresh: %d %s, the revocation: %d", got.Keys, got.Tokens.Status, got.Tokens.text("error"),
			got.Fresh.Status, got.Fresh.text("error"), got.Revoked.Status)
	}
	if got.Person.Status != http.StatusOK || got.Person.text("email") != "alice@example.com" {
		t.Errorf("userinfo: %+v", got.Person)
	}
	if got.Nobody.Status != http.StatusUnauthorized || !strings.Contains(got.Nobody.Challenge, "invalid_token") {
		t.Errorf("userinfo after the revocation: %+v", got.Nobody)
	}

	probe := `probe("` + w.issuer + `")`
	want := map[string]string{"token": "400", "userinfo": "401", "device": "400", "authorize": "blocked", "introspect": "blocked", "home": "blocked"}
	if said := promised[map[string]string](b, probe); !maps.Equal(said, want) {
		t.Errorf("the client's page: %v, want %v", said, want)
	}
	for name := range want {
		want[name] = "blocked"
	}
	b.open("http://localhost:" + port + "/")
	if said := promised[map[string]string](b, probe); !maps.Equal(said, want) {
		t.Errorf("a stranger's page: %v, want %v", said, want)
	}
}

// TestPage_SignsInWithALibrary: oauth4webapi in the browser, with pushed requests
// and DPoP, whose headers need a preflight each.
func TestPage_SignsInWithALibrary(t *testing.T) {
	port := servePage(t, installed(t, "oauth4webapi", "build", "index.js"))
	w := start(t, "https", `client strict {
		public
		first_party
		require par dpop
		redirect_uri http://localhost:`+port+`/strict/callback
		scopes openid email offline_access
	}`)
	b := tab{t, chromium.Start(t, "")}
	b.open("http://localhost:" + port + "/strict")
	promised[bool](b, `begin("`+w.issuer+`").then(() => true)`)
	b.signIn("alice", alicePassword)
	got := promised[struct {
		Email, Type, Error, Challenge string
		Secrets                       []string
	}](b, "result")
	for _, secret := range got.Secrets {
		w.node.Secrets.Learn("token", secret)
	}
	if got.Email != "alice@example.com" || !strings.EqualFold(got.Type, "DPoP") || got.Error != "invalid_grant" || got.Challenge == "" {
		t.Errorf("the page says %+v", got)
	}
}
