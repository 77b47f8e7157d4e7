package flows_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

func TestSite_SignInLandsOnTheAskedForPage(t *testing.T) {
	w := newWorld(t, worldOptions{})
	b := newBrowser(t)
	b.get(w.siteURL("app")+"/reports?year=2026&x=%2F").want(200, "app.sites.test")
	b.signIn("alice", "wonderland").want(200, "hello alice at /reports?year=2026&x=%2F")
	if got := b.last.Header.Get("Upstream-Cookie"); got != "" {
		t.Errorf("upstream saw cookies: %q", got)
	}
	b.get(w.siteURL("app")+"/again").want(200, "hello alice at /again")
	newBrowser(t).get(w.siteURL("app")+"/again").want(200, "password")
	if strings.Contains(w.logs.String(), "wonderland") {
		t.Error("the password was logged")
	}
}

func TestSite_SignOutEndsTheSessionOnTheServer(t *testing.T) {
	w := newWorld(t, worldOptions{})
	b := newBrowser(t)
	b.get(w.siteURL("app")+"/").signIn("alice", "wonderland").want(200, "hello alice")
	u, _ := url.Parse(w.siteURL("app") + "/")
	stolen := b.Jar.Cookies(u)
	b.get(w.siteURL("app")+"/.gatehouse/logout").want(200, "alice")
	b.get(w.siteURL("app")+"/").want(200, "hello alice") // a GET acts on nothing
	b.get(w.siteURL("app")+"/.gatehouse/logout").submit(nil).want(200, "prompt=select_account")

	thief := newBrowser(t)
	thief.Jar.SetCookies(u, stolen)
	thief.get(w.siteURL("app")+"/").want(200, "password")
}

func TestSite_WrongPassword(t *testing.T) {
	w := newWorld(t, worldOptions{})
	b := newBrowser(t)
	for _, user := range []string{"alice", "nobody"} {
		b.get(w.siteURL("app")+"/").signIn(user, "wrong").want(401, "Incorrect username or password.")
	}
	b.signIn("bob", "builder").want(200, "hello bob")
}

func TestSite_FailuresAreThrottledByAccountAndAddress(t *testing.T) {
	w := newWorld(t, worldOptions{})
	known := newBrowser(t)
	known.get(w.siteURL("app")+"/").signIn("alice", "wonderland").want(200, "hello alice")
	known.get(w.siteURL("app") + "/.gatehouse/logout").submit(nil)

	b := newBrowser(t)
	b.get(w.siteURL("app") + "/")
	for range 10 {
		b.signIn("alice", "wrong").want(401, "Incorrect")
	}
	b.signIn("alice", "wonderland").want(429, "Too many attempts")
	if b.last.Header.Get("Retry-After") == "" {
		t.Error("429 without Retry-After")
	}
	// Others' failures lock out nobody who signed in from this browser before.
	known.get(w.siteURL("app")+"/").signIn("alice", "wonderland").want(200, "hello alice")
	// Twenty more, at any account, and the address is refused.
	for i := range 20 {
		b.signIn("user"+string(rune('a'+i)), "wrong").want(401, "Incorrect")
	}
	b.signIn("bob", "builder").want(429, "Too many attempts")
	w.clock.advance(11 * time.Minute)
	b.signIn("bob", "builder").want(200, "hello bob")
}

func TestSite_FormsOfOthersAreRefused(t *testing.T) {
	w := newWorld(t, worldOptions{})
	b := newBrowser(t)
	b.get(w.siteURL("app") + "/")
	b.submit(url.Values{"username": {"alice"}, "password": {"wonderland"}, "form": {"AAAA"}}).want(403, "verify this form")
	// A browser that keeps no cookie gets one page that says so.
	lost := newBrowser(t)
	lost.get(w.siteURL("app") + "/")
	lost.Jar = nil
	lost.signIn("alice", "wonderland").want(400, "Cookies are blocked")
}

func TestSite_ReturnAddressStaysOnTheSite(t *testing.T) {
	w := newWorld(t, worldOptions{})
	for _, evil := range []string{
		"//evil.test", "/\\evil.test", "https://evil.test/", "/\tevil.test", "/%0d%0aLocation:x\r\n", "javascript:alert(1)",
		"/.gatehouse/logout", "/%2egatehouse/logout", "\\\\evil.test", "/" + strings.Repeat("a", 100<<10), "", "reports", "/#x", "///evil.test",
	} {
		b := newBrowser(t)
		b.get(w.siteURL("app") + "/.gatehouse/login?return_to=" + url.QueryEscape(evil))
		held := b.held()
		held.last, held.body = b.last, b.body
		held.signIn("alice", "wonderland")
		if got := held.last.Header.Get("Location"); got != "/" {
			t.Errorf("return_to %.40q led to %q", evil, got)
		}
	}
}

func TestSite_ForgedCookiesAreNobody(t *testing.T) {
	w := newWorld(t, worldOptions{})
	b := newBrowser(t)
	b.get(w.siteURL("app")+"/").signIn("alice", "wonderland")
	u, _ := url.Parse(w.siteURL("app") + "/")
	good := ""
	for _, c := range b.Jar.Cookies(u) {
		if c.Name == "gatehouse" {
			good = c.Value
		}
	}
	if good == "" {
		t.Fatal("no session cookie")
	}
	for name, cookie := range map[string]string{
		"truncated": "gatehouse=" + good[:len(good)-1], "extended": "gatehouse=" + good + "A", "empty": "gatehouse=",
		"changed": "gatehouse=" + good[:20] + "A" + good[21:], "https name over http": "__Host-gatehouse=" + good,
		"portal name": "gatehouse-portal=" + good, "junk": "gatehouse=" + strings.Repeat("A", 5000),
	} {
		if status := statusWith(t, w.siteURL("app")+"/", cookie); status != 401 {
			t.Errorf("%s: %d, want 401", name, status)
		}
	}
	if status := statusWith(t, w.siteURL("app")+"/", "gatehouse=junk; other=1; gatehouse="+good); status != 200 {
		t.Errorf("a junk cookie in front masks the valid one: %d", status)
	}
	// A session of one host is none of another's.
	if status := statusWith(t, w.siteURL("other")+"/", "gatehouse="+good); status != 401 {
		t.Errorf("another host took the cookie: %d", status)
	}
}

func statusWith(t *testing.T, u, cookie string) int {
	t.Helper()
	b := newBrowser(t)
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, u, nil)
	req.Header.Set("Cookie", cookie)
	req.Header.Set("Accept", "application/json")
	return b.do(req).last.StatusCode
}

func TestChallenge_FitsTheCaller(t *testing.T) {
	w := newWorld(t, worldOptions{})
	site := w.siteURL("app")
	cases := []struct {
		name, method string
		header       map[string]string
		status       int
		location     string
		check        func(*browser) bool
	}{
		{name: "navigation", header: map[string]string{"Sec-Fetch-Mode": "navigate"}, status: 303, location: "/.gatehouse/login?return_to=%2Fpage%3Fq%3D1"},
		{name: "old browser", header: map[string]string{"Accept": "text/html"}, status: 303, location: "/.gatehouse/login?return_to=%2Fpage%3Fq%3D1"},
		{name: "post navigation", method: "POST", header: map[string]string{"Sec-Fetch-Mode": "navigate", "Referer": site + "/form?x=1"}, status: 401, check: func(b *browser) bool {
			return strings.Contains(b.body, "/.gatehouse/login?return_to=%2Fform%3Fx%3D1")
		}},
		{name: "post from elsewhere", method: "POST", header: map[string]string{"Sec-Fetch-Mode": "navigate", "Referer": "http://evil.test/form"}, status: 401, check: func(b *browser) bool {
			return strings.Contains(b.body, "/.gatehouse/login\"")
		}},
		{name: "fetch", header: map[string]string{"Sec-Fetch-Mode": "cors", "Referer": site + "/page"}, status: 401, check: func(b *browser) bool {
			return strings.Contains(b.body, `"login_url":"`+site+`/.gatehouse/login?return_to=%2Fpage"`) && b.last.Header.Get("Content-Type") == "application/problem+json"
		}},
		{name: "curl", header: map[string]string{"Accept": "*/*"}, status: 401, check: func(b *browser) bool {
			return strings.HasPrefix(b.last.Header.Get("WWW-Authenticate"), `Bearer resource_metadata="`+site+`/.well-known/oauth-protected-resource"`)
		}},
		{name: "htmx", header: map[string]string{"HX-Request": "true", "HX-Current-URL": site + "/list"}, status: 401, check: func(b *browser) bool {
			return b.last.Header.Get("HX-Redirect") == "/.gatehouse/login?return_to=%2Flist"
		}},
		{name: "websocket", header: map[string]string{"Upgrade": "websocket", "Connection": "Upgrade"}, status: 401},
		{name: "event stream", header: map[string]string{"Accept": "text/event-stream"}, status: 401},
		{name: "grpc", method: "POST", header: map[string]string{"Content-Type": "application/grpc+proto"}, status: 200, check: func(b *browser) bool {
			return b.last.Header.Get("Grpc-Status") == "16"
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if c.method == "" {
				c.method = http.MethodGet
			}
			req, _ := http.NewRequestWithContext(t.Context(), c.method, site+"/page?q=1", nil)
			req.Header.Set("Accept", "application/json")
			for k, v := range c.header {
				req.Header.Set(k, v)
			}
			b := newBrowser(t).held().do(req)
			if b.last.StatusCode != c.status || b.last.Header.Get("Location") != c.location {
				t.Fatalf("%d to %q, want %d to %q", b.last.StatusCode, b.last.Header.Get("Location"), c.status, c.location)
			}
			if c.check != nil && !c.check(b) {
				t.Errorf("unexpected answer: %v %s", b.last.Header, b.body)
			}
			if b.last.Header.Get("Cache-Control") != "no-store" || len(b.last.Cookies()) > 0 {
				t.Errorf("headers: %v", b.last.Header)
			}
			if c.method != "POST" && strings.Contains(b.body, "<html") {
				t.Error("HTML for a program")
			}
		})
	}
}

func TestPortal_OneSignInServesTwoSites(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true})
	b := newBrowser(t)
	b.get(w.siteURL("one")+"/reports?year=2026").want(200, "one.sites.test")
	if b.last.Request.URL.Host != "portal.test"+port(w.portal) {
		t.Fatalf("the form is at %s", b.last.Request.URL)
	}
	b.signIn("alice", "wonderland").want(200, "hello alice at /reports?year=2026")
	b.get(w.siteURL("two")+"/x").want(200, "hello alice at /x")

	// Signing out at one site ends all.
	b.get(w.siteURL("one")+"/.gatehouse/logout").submit(nil).want(200, "signed out")
	b.get(w.siteURL("two")+"/x").want(200, "password")
	b.get(w.siteURL("one")+"/x").want(200, "password")
}

func TestPortal_CodeIsBoundToSiteAndBrowser(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true})
	b := newBrowser(t)
	b.get(w.siteURL("one")+"/").signIn("alice", "wonderland").want(200, "hello alice")
	// Stop a hand-over to the second site just before its callback.
	held := b.held()
	to := func(u string) string {
		held.get(u)
		return held.last.Header.Get("Location")
	}
	callback := to(to(w.siteURL("two") + to(w.siteURL("two")+"/secret")))
	if !strings.HasPrefix(callback, w.siteURL("two")+"/.gatehouse/callback?") {
		t.Fatalf("unexpected hand-over: %s", callback)
	}
	// Another browser, and another site, can do nothing with it.
	newBrowser(t).get(callback).want(400, "Cookies are blocked")
	held.get(strings.Replace(callback, "//two.", "//three.", 1)).want(400, "cookie")
	held.get(callback+"&code=x").want(400, "ambiguous")
	held.get(callback+"&error=access_denied").want(400, "ambiguous")
	// The right one can, once; the second time its session ends.
	held.get(callback)
	if held.last.StatusCode != 303 || held.last.Header.Get("Location") != "/secret" {
		t.Fatalf("%d %s", held.last.StatusCode, held.body)
	}
	held.get(w.siteURL("two")+"/secret").want(200, "hello alice")
}

func TestPortal_RefusesStrangeRedirects(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true})
	good := w.siteURL("one") + "/.gatehouse/callback"
	for _, uri := range []string{
		"http://evil.test/.gatehouse/callback", "http://one.sites.test/.gatehouse/callback", good + "/../x", good + "?x=1",
		strings.Replace(good, "http://", "http://user@", 1), strings.Replace(good, "one.", "one.evil.", 1), good + "#x",
		strings.Replace(good, "http:", "https:", 1), "javascript:alert(1)", "", strings.Replace(good, "one", "two", 1),
		strings.Replace(good, "one.", "ONE.", 1), strings.Replace(good, "http:", "HTTP:", 1),
	} {
		b := newBrowser(t).held().get(w.portalURL() + "/authorize?" + url.Values{
			"response_type": {"code"}, "client_id": {"one.sites.test"}, "redirect_uri": {uri}, "state": {"s"},
			"code_challenge": {strings.Repeat("A", 43)}, "code_challenge_method": {"S256"},
		}.Encode())
		if b.last.StatusCode != 400 || b.last.Header.Get("Location") != "" {
			t.Errorf("redirect_uri %q: %d to %q", uri, b.last.StatusCode, b.last.Header.Get("Location"))
		}
	}
}

func TestSite_AnyUserAgentSignsIn(t *testing.T) {
	w := newWorld(t, worldOptions{})
	b := newBrowser(t)
	b.Transport = userAgent{b.Transport, "\xff\xfe" + strings.Repeat("ä", 2000)}
	b.get(w.siteURL("app")+"/").signIn("alice", "wonderland").want(200, "hello alice")
}

// userAgent sends its own User-Agent.
type userAgent struct {
	http.RoundTripper
	name string
}

func (u userAgent) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header["User-Agent"] = []string{u.name}
	return u.RoundTripper.RoundTrip(r)
}

func TestSite_ABurstOfGuessesIsNoMoreThanItsLimit(t *testing.T) {
	w := newWorld(t, worldOptions{})
	b := newBrowser(t)
	b.get(w.siteURL("app") + "/")
	page := *b
	var mu sync.Mutex
	answers := map[int]int{}
	var all sync.WaitGroup
	for range 60 {
		all.Go(func() {
			guess := page
			guess.signIn("alice", "wrong")
			mu.Lock()
			defer mu.Unlock()
			answers[guess.last.StatusCode]++
		})
	}
	all.Wait()
	if answers[401] > 10 || answers[401] == 0 {
		t.Errorf("%d guesses were checked, want at most 10: %v", answers[401], answers)
	}
}

// downStore cannot be reached while it is down.
type downStore struct {
	tokenstore.Store
	down *atomic.Bool
}

func (s downStore) Session(ctx context.Context, id uuid.UUID) (tokenstore.Session, error) {
	if s.down.Load() {
		return tokenstore.Session{}, tokenstore.ErrUnavailable
	}
	return s.Store.Session(ctx, id)
}

// TestPortal_AnOutageAsksNobodyForAPassword: a node that does not know the
// session yet, and cannot ask, says 503 and takes no cookie away.
func TestPortal_AnOutageAsksNobodyForAPassword(t *testing.T) {
	down := new(atomic.Bool)
	first := newWorld(t, worldOptions{portal: true})
	b := newBrowser(t) // of the first node
	b.get(first.siteURL("one")+"/").signIn("alice", "wonderland").want(200, "hello alice")
	portal, _ := url.Parse(first.portalURL())
	second := newWorld(t, worldOptions{portal: true, wrap: func(_ tokenstore.Store, c cache.Store) (tokenstore.Store, cache.Store) {
		return downStore{first.store, down}, c
	}})
	down.Store(true)
	other := newBrowser(t)
	there, _ := url.Parse(second.portalURL())
	other.Jar.SetCookies(there, b.Jar.Cookies(portal))
	for _, prompt := range []string{"", "none"} {
		params := authorizeParams("one.sites.test", second.siteURL("one")+"/.gatehouse/callback", "openid")
		params.Set("prompt", prompt)
		other.held().get(second.portalURL()+"/authorize?"+params.Encode()).want(503, "you still are")
	}
	other.held().get(second.portalURL()+"/").want(503, "you still are")
	if len(other.Jar.Cookies(there)) == 0 {
		t.Error("an outage took the cookie away")
	}
	down.Store(false)
	other.held().get(second.portalURL()+"/").want(200, "alice")
}
