package flows_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/client"
)

// logoutClients are oauthClients of which web and other have an address to
// return to.
func logoutClients() []*client.Client {
	clients := oauthClients()
	clients[0].PostLogoutRedirectURIs = []string{"https://web.test/bye", "https://web.test/bye?a=1"}
	clients[1].PostLogoutRedirectURIs = []string{"https://other.test/bye"}
	return clients
}

// OpenID Connect RP-Initiated Logout, sections 2 and 3: a hint of the session of this
// very browser ends it; the person is asked where it is not known that the hint is one.
func TestOpenID_LogoutByAClient(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: logoutClients()})
	fresh := func() (*browser, string) {
		b := w.signedInBrowser()
		return b, w.tokens(b, nil).answer.text("id_token")
	}
	for name, c := range map[string]struct {
		params url.Values
		to     string
		asks   bool
	}{
		"the client's address":       {url.Values{"post_logout_redirect_uri": {"https://web.test/bye"}, "state": {"s t/ä"}}, "https://web.test/bye?state=s+t%2F%C3%A4", false},
		"a state that is no text":    {url.Values{"post_logout_redirect_uri": {"https://web.test/bye"}, "state": {"\xff"}}, "", false},
		"with a query":               {url.Values{"post_logout_redirect_uri": {"https://web.test/bye?a=1"}, "state": {"x"}}, "https://web.test/bye?a=1&state=x", false},
		"without state":              {url.Values{"post_logout_redirect_uri": {"https://web.test/bye"}}, "https://web.test/bye", false},
		"and its name":               {url.Values{"post_logout_redirect_uri": {"https://web.test/bye"}, "client_id": {"web"}}, "https://web.test/bye", false},
		"no address":                 {url.Values{"state": {"x"}}, "", false},
		"elsewhere":                  {url.Values{"post_logout_redirect_uri": {"https://evil.test/"}}, "", false},
		"another client's":           {url.Values{"post_logout_redirect_uri": {"https://other.test/bye"}}, "", false},
		"another's name":             {url.Values{"post_logout_redirect_uri": {"https://web.test/bye"}, "client_id": {"other"}}, "", true},
		"another's name and address": {url.Values{"post_logout_redirect_uri": {"https://other.test/bye"}, "client_id": {"other"}}, "", true},
		"an unknown name":            {url.Values{"post_logout_redirect_uri": {"https://web.test/bye"}, "client_id": {"nobody"}}, "", true},
		"a redirect URI":             {url.Values{"post_logout_redirect_uri": {"https://web.test/cb"}}, "", false},
		"with more":                  {url.Values{"post_logout_redirect_uri": {"https://web.test/bye/"}}, "", false},
		"with userinfo":              {url.Values{"post_logout_redirect_uri": {"https://x@web.test/bye"}}, "", false},
		"with a port":                {url.Values{"post_logout_redirect_uri": {"https://web.test:443/bye"}}, "", false},
		"with a fragment":            {url.Values{"post_logout_redirect_uri": {"https://web.test/bye#x"}}, "", false},
		"by a detour":                {url.Values{"post_logout_redirect_uri": {"https://web.test/x/../bye"}}, "", false},
		"in upper case":              {url.Values{"post_logout_redirect_uri": {"https://WEB.test/bye"}}, "", false},
		"two addresses":              {url.Values{"post_logout_redirect_uri": {"https://web.test/bye", "https://evil.test/"}}, "", true},
		"a state without end":        {url.Values{"post_logout_redirect_uri": {"https://web.test/bye"}, "state": {strings.Repeat("x", 5000)}}, "", false},
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			b, hint := fresh()
			params := with(c.params, set("id_token_hint", hint))
			if method == http.MethodGet {
				b.get(w.portalURL() + "/logout?" + params.Encode())
			} else {
				req, _ := http.NewRequestWithContext(t.Context(), method, w.portalURL()+"/logout", strings.NewReader(params.Encode()))
				req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				b.do(req)
			}
			if c.asks {
				b.want(http.StatusOK, "alice") // asked, and not signed out yet
				page := *b
				if b.get(w.portalURL()+"/").body == "" || !strings.Contains(b.body, "alice") {
					t.Fatalf("%s: signed out without a word", name)
				}
				b.last, b.body = page.last, page.body
				b.submit(nil)
			}
			if to := b.last.Header.Get("Location"); to != c.to || to == "" && b.last.StatusCode != http.StatusOK {
				t.Errorf("%s by %s: %d to %q, want %q", name, method, b.last.StatusCode, to, c.to)
			}
			if strings.Contains(b.body, "evil.test") {
				t.Errorf("%s: the page repeats the address", name)
			}
			if held := b.get(w.siteURL("one") + "/"); held.last.StatusCode != http.StatusSeeOther {
				t.Errorf("%s by %s: still signed in", name, method)
			}
		}
	}
}

// A client's page may post as well (section 2), and then the browser sends no
// cookie along. Nobody is told that they are signed out, neither the person nor
// the client, before they are.
func TestOpenID_LogoutByAnotherSitesPost(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: logoutClients()})
	b := w.signedInBrowser()
	form := url.Values{
		"id_token_hint":            {w.tokens(b, nil).answer.text("id_token")},
		"post_logout_redirect_uri": {"https://web.test/bye"}, "state": {"x"},
	}
	got := foreignPost(t, b.held(), w.portalURL()+"/logout", form)
	next := got.last.Header.Get("Location")
	if got.last.StatusCode != http.StatusSeeOther || !strings.HasPrefix(next, "/logout?") {
		t.Fatalf("told before it is so: %d to %q\n%s", got.last.StatusCode, next, got.body)
	}
	b.get(w.portalURL() + next) // this has the cookie
	if to := b.last.Header.Get("Location"); to != "https://web.test/bye?state=x" {
		t.Errorf("%d to %q, want the client's address", b.last.StatusCode, to)
	}
	if held := b.get(w.siteURL("one") + "/"); held.last.StatusCode != http.StatusSeeOther {
		t.Error("still signed in")
	}
}

// Nor are they told so when the other site's form looks like our own.
func TestOpenID_LogoutByAnotherSitesForgedForm(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: logoutClients()})
	b := w.signedInBrowser()
	for at, logout := range map[string]string{"the portal": w.portalURL() + "/logout", "a site": w.siteURL("one") + "/.gatehouse/logout"} {
		for _, form := range []url.Values{{"form": {"x"}}, {"form": {""}}, {"form": {"x"}, "request": {"x"}}} {
			got := foreignPost(t, b.held(), logout, form)
			if got.last.StatusCode != http.StatusSeeOther || strings.Contains(got.body, "signed out") {
				t.Errorf("%s, %v: told before it is so: %d\n%s", at, form, got.last.StatusCode, got.body)
				continue
			}
			next, err := got.last.Request.URL.Parse(got.last.Header.Get("Location"))
			if err != nil {
				t.Fatal(err)
			}
			b.get(next.String()).want(http.StatusOK, "alice") // asked, with the cookie
		}
	}
	// Our own form, sent when another tab has signed out already, says what is so.
	b.get(w.portalURL() + "/logout")
	page := *b
	b.submit(nil).want(http.StatusOK, "You are signed out")
	b.last, b.body = page.last, page.body
	b.submit(nil).want(http.StatusSeeOther, "")
	b.get(w.portalURL()+b.last.Header.Get("Location")).want(http.StatusOK, "You are signed out")
}

// The hint may be as old as its key; it must be an ID token of ours. Nobody who
// has it can sign somebody out without her browser (dex #4945).
func TestOpenID_LogoutHints(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: logoutClients()})
	alice := w.signedInBrowser()
	got := w.tokens(alice, nil)
	hint := got.answer.text("id_token")
	ask := func(hint string) string {
		params := url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {"https://web.test/bye"}}
		return w.send(http.MethodGet, w.portalURL()+"/logout?"+params.Encode(), "", "Accept: text/html").header.Get("Location")
	}
	for name, bad := range map[string]string{
		"nothing": "", "junk": "x", "an access token": got.answer.text("access_token"), "a refresh token": got.answer.text("refresh_token"),
		"unsigned": hint[:strings.LastIndexByte(hint, '.')+1], "cut short": hint[:len(hint)-1], "extended": hint + "A", "a line feed more": hint + "\n",
		"another client's": w.otherIDToken(alice), "without end": hint + strings.Repeat("A", 9000),
	} {
		if to := ask(bad); to != "" {
			t.Errorf("%s leads to %s", name, to)
		}
	}
	if to := ask(hint); to != "https://web.test/bye" {
		t.Errorf("her own leads to %q", to)
	}
	alice.get(w.siteURL("one")+"/").want(http.StatusOK, "hello alice") // all that was not her browser

	refresh := func(d time.Duration) {
		t.Helper()
		w.clock.advance(d)
		if err := w.keys.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	refresh(30*24*time.Hour - 59*time.Minute) // the next key is published
	refresh(time.Hour)                        // and signs
	if to := ask(hint); to != "https://web.test/bye" {
		t.Errorf("an old one, of a retired key, leads to %q", to)
	}
	refresh(26 * time.Hour)
	if to := ask(hint); to != "" {
		t.Errorf("one of a key that is gone leads to %q", to)
	}
}

// OpenID Connect Back-Channel Logout, sections 2.4 to 2.8: what clients are
// told, again where they do not answer, and never at the cost of the person who
// signs out.
func TestOpenID_BackchannelLogout(t *testing.T) {
	told := make(chan *http.Request, 64)
	var calls atomic.Int32
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		if calls.Add(1) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		told <- r
	}))
	t.Cleanup(receiver.Close)
	clients := oauthClients()
	clients[0].BackchannelLogoutURI = receiver.URL + "/backchannel"
	clients[1].BackchannelLogoutURI = "http://127.0.0.1:1/nobody"
	w := newWorld(t, worldOptions{portal: true, clients: clients})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); w.gateway.Run(ctx) }()
	defer func() { cancel(); <-done }()
	b := w.signedInBrowser()
	_, id := claimsOf(t, w.tokens(b, set("scope", "openid")).answer.text("id_token"))
	w.otherIDToken(b)
	b.get(w.portalURL() + "/logout").submit(nil)
	if held := b.get(w.siteURL("one") + "/"); held.last.StatusCode != http.StatusSeeOther {
		t.Fatal("a client that is down keeps somebody signed in")
	}
	r := w.awaitLogout(told, id["sid"])
	if r.Method != http.MethodPost || r.URL.String() != "/backchannel" || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
	}
	header, claims := claimsOf(t, r.PostForm.Get("logout_token"))
	events, _ := claims["events"].(map[string]any)
	if _, ok := events["http://schemas.openid.net/event/backchannel-logout"].(map[string]any); !ok || len(events) != 1 {
		t.Errorf("events %v", claims["events"])
	}
	iat, _ := claims["iat"].(float64)
	exp, _ := claims["exp"].(float64)
	if header["typ"] != "logout+jwt" || header["alg"] != "ES256" || header["kid"] == "" || exp <= iat || exp > iat+120 {
		t.Errorf("header %v, iat %v, exp %v", header, iat, exp)
	}
	for name, want := range map[string]any{"iss": w.portalURL(), "aud": "web", "sub": id["sub"], "sid": id["sid"], "nonce": nil} {
		if claims[name] != want {
			t.Errorf("%s is %v, want %v", name, claims[name], want)
		}
	}
	if jti, _ := claims["jti"].(string); len(jti) < 22 || id["sid"] == nil {
		t.Errorf("jti %q, sid %v", jti, id["sid"])
	}
	// It is good for nothing else.
	raw := r.PostForm.Get("logout_token")
	if got := w.send(http.MethodGet, w.portalURL()+"/userinfo", "", "Authorization: Bearer "+raw); got.status != http.StatusUnauthorized {
		t.Errorf("userinfo: %d", got.status)
	}
	if got := w.call("introspect", url.Values{"token": {raw}}, basic("web")); got.text != inactive {
		t.Errorf("introspection: %s", got.text)
	}
}

// awaitLogout waits until a client is told that a session has ended. Each
// sign-out has the outbox looked at, and so what was told in vain before.
func (w *world) awaitLogout(told <-chan *http.Request, session any) *http.Request {
	w.t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		select {
		case r := <-told:
			if _, claims := claimsOf(w.t, r.PostForm.Get("logout_token")); claims["sid"] == session {
				return r
			}
		case <-time.After(25 * time.Millisecond):
			w.clock.advance(30 * time.Second)
			b := w.signedInBrowser()
			w.tokens(b, set("scope", "openid"))
			b.get(w.portalURL() + "/logout").submit(nil)
		case <-deadline:
			w.t.Fatal("the client was not told")
		}
	}
}
