package flows_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// Two people whose callbacks arrive at the same moment must each become
// themselves (CVE-2026-33544: state that callbacks shared swapped users).
func TestProvider_PeopleAtOnceAreNeverSwapped(t *testing.T) {
	op, rp := twoWorlds(t, nil)
	there, err := url.Parse(op.portalURL())
	if err != nil {
		t.Fatal(err)
	}
	known := map[string][]*http.Cookie{} // at the provider
	called := map[string]string{}        // here
	for user, password := range map[string]string{"alice": "wonderland", "bob": "builder"} {
		b := newBrowser(t)
		b.get(rp.siteURL("app")+"/").signIn(user, password).want(http.StatusOK, "hello ")
		known[user], called[user] = b.Jar.Cookies(there), b.body
	}
	if called["alice"] == called["bob"] {
		t.Fatalf("both are %q", called["alice"])
	}
	const rounds = 25
	var all sync.WaitGroup
	start := make(chan struct{})
	for user, cookies := range known {
		for range rounds {
			b := newBrowser(t)
			b.Jar.SetCookies(there, cookies)
			all.Go(func() {
				<-start
				if b.get(rp.siteURL("app") + "/"); b.body != called[user] {
					t.Errorf("%s became %d %.200q, want %q", user, b.last.StatusCode, b.body, called[user])
				}
			})
		}
	}
	close(start)
	all.Wait()
}

// Whoever begins sign-ins without end fills their own share, and nobody else's.
func TestProvider_UnfinishedSignInsOfOneStopNobodyElse(t *testing.T) {
	_, rp := twoWorlds(t, nil)
	begin := func(client string) *httptest.ResponseRecorder {
		req := httptest.NewRequest(http.MethodGet, rp.siteURL("app")+"/.gatehouse/login", nil)
		req.Header.Set("Accept", "text/html")
		rec := httptest.NewRecorder()
		rp.gateway.ServeSite(rec, &web.Request{Request: req, URI: "/.gatehouse/login", Scheme: "http", Host: req.Host, ClientIP: client})
		return rec
	}
	for _, flood := range []struct{ from, alsoFrom, other string }{
		{"192.0.2.1", "192.0.2.1", "192.0.2.2"},
		{"2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:1::1"}, // a customer has a /64
	} {
		for i := range 200 {
			if got := begin(flood.from); got.Code != http.StatusSeeOther {
				t.Fatalf("%s: sign-in %d is answered with %d", flood.from, i, got.Code)
			}
		}
		for range 3 {
			if got := begin(flood.alsoFrom); got.Code != http.StatusTooManyRequests || got.Header().Get("Retry-After") == "" || got.Header().Get("Set-Cookie") != "" {
				t.Errorf("%s: one too many is answered with %d %v", flood.alsoFrom, got.Code, got.Header())
			}
		}
		if got := begin(flood.other); got.Code != http.StatusSeeOther {
			t.Errorf("%s: somebody else is answered with %d", flood.other, got.Code)
		}
	}
	rp.clock.advance(11 * time.Minute)
	if got := begin("192.0.2.1"); got.Code != http.StatusSeeOther {
		t.Errorf("when the unfinished ones have expired: %d", got.Code)
	}
}

// Whoever makes a link to our sign-in decides neither what is asked of the
// provider nor whose account it offers.
func TestProvider_AStrangersLinkAsksForNoMore(t *testing.T) {
	_, rp := twoWorlds(t, nil)
	asked := func(query string) url.Values {
		b := newBrowser(t).held().get(rp.siteURL("app") + "/.gatehouse/login" + query)
		to, err := url.Parse(b.last.Header.Get("Location"))
		if err != nil || b.last.StatusCode != http.StatusSeeOther {
			t.Fatalf("%s: %d to %q", query, b.last.StatusCode, b.last.Header.Get("Location"))
		}
		values := to.Query()
		for _, own := range []string{"state", "nonce", "code_challenge"} { // of this attempt
			if values.Get(own) == "" {
				t.Errorf("%s: no %s", query, own)
			}
			values.Del(own)
		}
		return values
	}
	want := asked("").Encode()
	for _, query := range []string{
		"?login_hint=mallory@evil.test", "?scope=openid+repo", "?scopes=repo", "?acr_values=none", "?max_age=0", "?prompt=none",
		"?prompt=consent", "?client_id=evil", "?redirect_uri=https://evil.test/", "?state=x&nonce=y&code_challenge=z", "?response_mode=fragment",
		"?claims=%7B%7D&id_token_hint=x&hd=evil.test&domain_hint=evil.test", "?login_hint=a&login_hint=b",
	} {
		if got := asked(query).Encode(); got != want {
			t.Errorf("%s asks the provider for\n%s\nwant\n%s", query, got, want)
		}
	}
}

// An answer that belongs to no attempt of this browser is anybody's words.
func TestProvider_AForgedErrorIsNoPageAndNoLogLine(t *testing.T) {
	_, rp := twoWorlds(t, nil)
	const evil = "evil\n<script>alert(1)</script>\nlevel=ERROR msg=evil"
	for _, state := range []string{"", "evil", strings.Repeat("A", 43)} {
		query := url.Values{"error": {evil}, "error_description": {evil}, "error_uri": {"https://evil.test/"}, "iss": {evil}, "evil": {evil}}
		if state != "" {
			query.Set("state", state)
		}
		b := newBrowser(t).get(rp.siteURL("app") + "/.gatehouse/callback/outside?" + query.Encode())
		if b.last.StatusCode != http.StatusBadRequest || strings.Contains(b.body, "evil") || strings.Contains(b.body, "alert") {
			t.Errorf("state %q: %d %s", state, b.last.StatusCode, b.body)
		}
	}
	if log := rp.logs.String(); strings.Contains(log, "evil") || strings.Contains(log, "level=ERROR") {
		t.Errorf("the log repeats it:\n%s", log)
	}
}
