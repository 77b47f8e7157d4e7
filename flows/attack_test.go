package flows_test

import (
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// foreignPost is what a page of another site has a browser send: cookies that
// are SameSite=Lax stay at home.
func foreignPost(t *testing.T, b *browser, to string, form url.Values) *browser {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, to, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	req.Header.Set("Sec-Fetch-Mode", "navigate")
	req.Header.Set("Origin", "https://evil.test")
	bare := *b.Client
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	bare.Jar = jar
	return (&browser{t: t, Client: &bare}).do(req)
}

// A browser keeps what the answer to another site's POST sets, even if it sent
// no cookie along: taking the session's cookie away would sign the person out.
func TestSignOut_AnotherSiteTakesNoCookieAway(t *testing.T) {
	for _, portal := range []bool{false, true} {
		w := newWorld(t, worldOptions{portal: portal})
		b := newBrowser(t)
		b.get(w.siteURL("app")+"/").signIn("alice", "wonderland").want(http.StatusOK, "hello alice")
		places := []string{w.siteURL("app") + "/.gatehouse/logout"}
		if portal {
			places = append(places, w.portalURL()+"/logout")
		}
		for _, to := range places {
			for _, form := range []url.Values{{"form": {"x"}}, {}} {
				got := foreignPost(t, b, to, form)
				for _, c := range got.last.Cookies() {
					if c.MaxAge < 0 {
						t.Errorf("%s: another site's POST takes %s away", to, c.Name)
					}
				}
			}
		}
	}
}

// The names of a wildcard site, and the ports in a Host header, are the
// client's to choose.
func TestDiscovery_KeepsNothingForEveryNameThatIsAskedFor(t *testing.T) {
	w := newWorld(t, worldOptions{})
	ask := func(from, to int) {
		for i := from; i < to; i++ {
			req := httptest.NewRequest(http.MethodGet, "/.gatehouse/.well-known/openid-configuration", nil)
			req.Host = "app" + strconv.Itoa(i) + ".sites.test"
			rec := httptest.NewRecorder()
			w.gateway.ServeSite(rec, asRequest(req))
			if rec.Code != http.StatusOK {
				t.Fatalf("answered %d: %s", rec.Code, rec.Body)
			}
		}
	}
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	ask(0, 100)
	before := heap()
	ask(100, 5000)
	if after := heap(); after > before+2<<20 {
		t.Errorf("%d KiB are kept of 4900 names", (after-before)>>10)
	}
}

// Browsers resolve dot segments, escaped ones too, before they ask.
func TestSite_SignInNeverReturnsToOwnEndpointsByDetour(t *testing.T) {
	w := newWorld(t, worldOptions{})
	for _, to := range []string{
		"/.gatehouse/logout", "/x/../.gatehouse/logout", "/./.gatehouse/login?prompt=login", "/%2e/.gatehouse/logout",
		"/x/%2e%2e/.gatehouse/logout", "/x/.%2E/%2egatehouse/login", "/.gatehouse", "/x/..//.gatehouse/logout",
	} {
		b := newBrowser(t)
		b.get(w.siteURL("app")+"/.gatehouse/login?return_to="+url.QueryEscape(to)).signIn("alice", "wonderland")
		if got := b.last.Request.URL.RequestURI(); got != "/" {
			t.Errorf("%s leads to %s", to, got)
		}
	}
}

// A sub-domain can set cookies of our names where __Host- is not to be had, and
// browsers send those with the longer path first.
func TestSite_TossedCookiesMaskNoSession(t *testing.T) {
	w := newWorld(t, worldOptions{})
	b := newBrowser(t)
	b.get(w.siteURL("app")+"/").signIn("alice", "wonderland").want(http.StatusOK, "hello alice")
	site, err := url.Parse(w.siteURL("app"))
	if err != nil {
		t.Fatal(err)
	}
	session := b.Jar.Cookies(site)[0]
	bare := newBrowser(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, site.String()+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Cookie", strings.Repeat(session.Name+"=junk; ", 50)+session.String())
	bare.do(req).want(http.StatusOK, "hello alice")
}

// Whatever stands around a token of ours, an upstream does not get it.
func TestStripCredentials_FindsOurTokenInAnySpelling(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	web := app{t, w, "web", "web-secret-of-enough-length"}
	token := web.post("token", url.Values{"grant_type": {"client_credentials"}, "resource": {w.siteURL("app")}}).text("access_token")
	if token == "" {
		t.Fatal("no token")
	}
	for _, value := range []string{
		"Bearer " + token, "bearer  " + token, "Bearer\t" + token, "Bearerx " + token, token, "Basic x, Bearer " + token,
		"Bearer " + token + ", Basic x", "Token token=" + token, `Bearer "` + token + `"`, "Bearer:" + token,
	} {
		req := httptest.NewRequest(http.MethodGet, w.siteURL("app")+"/", nil)
		req.Header.Set("Authorization", value)
		w.gateway.Guard().StripCredentials(req, nil)
		if got := req.Header.Get("Authorization"); got != "" {
			t.Errorf("an upstream gets %q", got)
		}
	}
	for _, value := range []string{"Basic dXNlcjpwYXNz", "Bearer somebody-elses", "Bearer e30.e30.e30", ""} {
		req := httptest.NewRequest(http.MethodGet, w.siteURL("app")+"/", nil)
		req.Header.Set("Authorization", value)
		w.gateway.Guard().StripCredentials(req, nil)
		if got := req.Header.Get("Authorization"); got != value {
			t.Errorf("%q becomes %q", value, got)
		}
	}
}
