package flows_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// byPlainHTTP sends a request as it arrives from a proxy that ends TLS and is not
// trusted: the host is the browser's, the scheme is not.
func (w *world) byPlainHTTP(serve func(http.ResponseWriter, *web.Request), method, host, uri string, form url.Values, change ...func(*web.Request)) *httptest.ResponseRecorder {
	w.t.Helper()
	req := httptest.NewRequestWithContext(w.t.Context(), method, uri, strings.NewReader(form.Encode()))
	req.Host = host
	req.Header.Set("Accept", "text/html")
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", "https://"+host)
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	r := &web.Request{Request: req, URI: uri, Scheme: "http", Host: host, ClientIP: "192.0.2.7"}
	for _, c := range change {
		c(r)
	}
	rec := httptest.NewRecorder()
	serve(rec, r)
	return rec
}

const schemeLog = "counts as plain http although the browser uses https"

// A forgotten trusted_proxies ended every sign-in in "verify this form from
// this page", and nothing said why (authelia, oauth2-proxy: reverse proxy headers).
func TestWrongScheme_ASiteSaysWhatIsForgotten(t *testing.T) {
	w := newWorld(t, worldOptions{})
	page := w.byPlainHTTP(w.gateway.ServeSite, http.MethodGet, "app.sites.test", "/.gatehouse/login", nil)
	if page.Code != http.StatusOK || strings.Contains(w.logs.String(), schemeLog) {
		t.Fatalf("a browser that says nothing: %d\n%s", page.Code, w.logs)
	}
	for _, uri := range []string{"/.gatehouse/login", "/.gatehouse/logout", "/.gatehouse/consent", "/.gatehouse/device", "/.gatehouse/device/decide", "/.gatehouse/"} {
		got := w.byPlainHTTP(w.gateway.ServeSite, http.MethodPost, "app.sites.test", uri, url.Values{"username": {"alice"}, "password": {"wonderland"}})
		if got.Code != http.StatusBadRequest || !strings.Contains(got.Body.String(), "trusted_proxies") || len(got.Result().Cookies()) > 0 {
			t.Errorf("%s: %d %v\n%s", uri, got.Code, got.Header(), got.Body)
		}
	}
	log := w.logs.String()
	if strings.Count(log, schemeLog) != 1 || !strings.Contains(log, "level=WARN") || !strings.Contains(log, "trusted_proxies") || !strings.Contains(log, "host=app.sites.test") || !strings.Contains(log, "proxy=192.0.2.1") {
		t.Errorf("the log does not name the cure once:\n%s", log)
	}
	w.byPlainHTTP(w.gateway.ServeSite, http.MethodPost, "wiki.sites.test", "/.gatehouse/login", nil)
	w.clock.advance(61 * time.Second)
	w.byPlainHTTP(w.gateway.ServeSite, http.MethodPost, "app.sites.test", "/.gatehouse/login", nil)
	if got := strings.Count(w.logs.String(), schemeLog); got != 3 {
		t.Errorf("logged %d times, want once more for another host and once more a minute later", got)
	}
	// A trusted proxy that does not say what the browser uses has another cure.
	got := w.byPlainHTTP(w.gateway.ServeSite, http.MethodPost, "late.sites.test", "/.gatehouse/login", nil, func(r *web.Request) { r.TrustedProxy = true })
	if !strings.Contains(got.Body.String(), "X-Forwarded-Proto") || !strings.Contains(w.logs.String(), "have it send X-Forwarded-Proto: https") {
		t.Errorf("%s\n%s", got.Body, w.logs)
	}
}

// Another site's form, and a page of plain http, are what they were.
func TestWrongScheme_OnlyTheSameHostByHTTPS(t *testing.T) {
	w := newWorld(t, worldOptions{})
	for _, origin := range []string{"https://evil.test", "http://app.sites.test", "null", "", "https://app.sites.test.evil.test", "https://evil.test/app.sites.test"} {
		got := w.byPlainHTTP(w.gateway.ServeSite, http.MethodPost, "app.sites.test", "/.gatehouse/login", nil, func(r *web.Request) {
			r.Header.Set("Origin", origin)
		})
		if strings.Contains(got.Body.String(), "trusted_proxies") || strings.Contains(w.logs.String(), schemeLog) {
			t.Errorf("Origin %q is taken for ours:\n%s", origin, w.logs)
		}
	}
	got := w.byPlainHTTP(w.gateway.ServeSite, http.MethodPost, "app.sites.test", "/.gatehouse/login", nil, func(r *web.Request) { r.Scheme = "https" })
	if strings.Contains(got.Body.String(), "trusted_proxies") {
		t.Error("a request by https is taken for one by plain http")
	}
}

// What only shows that something is wrong is logged, and changes no answer.
func TestWrongScheme_HintsAreLogged(t *testing.T) {
	for name, test := range map[string]struct {
		host   string
		header [2]string
		logged bool
	}{
		"proxy's word":         {"app.sites.test", [2]string{"X-Forwarded-Proto", "https"}, true},
		"wss would not be":     {"app.sites.test", [2]string{"X-Forwarded-Proto", "http"}, false},
		"RFC 7239":             {"app.sites.test", [2]string{"Forwarded", "for=192.0.2.3;Proto=https"}, true},
		"fetch metadata":       {"app.sites.test", [2]string{"Sec-Fetch-Mode", "navigate"}, true},
		"localhost":            {"localhost:8080", [2]string{"Sec-Fetch-Mode", "navigate"}, false},
		"a name of localhost":  {"app.localhost", [2]string{"Sec-Fetch-Mode", "navigate"}, false},
		"loopback":             {"127.0.0.1:8080", [2]string{"Sec-Fetch-Mode", "navigate"}, false},
		"loopback of IPv6":     {"[::1]:8080", [2]string{"Sec-Fetch-Mode", "navigate"}, false},
		"Referer of the host":  {"app.sites.test", [2]string{"Referer", "https://app.sites.test/"}, true},
		"Referer of elsewhere": {"app.sites.test", [2]string{"Referer", "https://elsewhere.test/"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, worldOptions{})
			got := w.byPlainHTTP(w.gateway.ServeSite, http.MethodGet, test.host, "/.gatehouse/login", nil, func(r *web.Request) {
				r.Header.Set(test.header[0], test.header[1])
			})
			if got.Code != http.StatusOK || strings.Contains(w.logs.String(), schemeLog) != test.logged {
				t.Errorf("%d\n%s", got.Code, w.logs)
			}
		})
	}
}

// An https portal that takes its browsers for plain http sets cookies that it never
// reads: a loop, if it went on.
func TestWrongScheme_APortalSaysWhatIsForgotten(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, issuer: "https://portal.test", clients: oauthClients()})
	host := "app.sites.test" + port(w.site)
	begun := w.byPlainHTTP(w.gateway.ServeSite, http.MethodGet, host, "/.gatehouse/login?return_to=%2Fx", nil)
	to, err := url.Parse(begun.Header().Get("Location"))
	if err != nil || begun.Code != http.StatusSeeOther || to.Host != "portal.test" {
		t.Fatalf("%d %v", begun.Code, begun.Header())
	}
	for _, test := range []struct{ method, uri string }{
		{http.MethodGet, to.RequestURI()}, {http.MethodGet, "/"}, {http.MethodPost, "/login"}, {http.MethodPost, "/consent"}, {http.MethodGet, "/logout"}, {http.MethodPost, "/logout"}, {http.MethodGet, "/device"},
	} {
		got := w.byPlainHTTP(w.gateway.ServePortal, test.method, "portal.test", test.uri, nil)
		if got.Code != http.StatusBadRequest || !strings.Contains(got.Body.String(), "trusted_proxies") || got.Header().Get("Location") != "" || len(got.Result().Cookies()) > 0 {
			t.Errorf("%s %s: %d %v\n%s", test.method, test.uri, got.Code, got.Header(), got.Body)
		}
	}
	if got := strings.Count(w.logs.String(), schemeLog); got != 1 {
		t.Errorf("logged %d times:\n%s", got, w.logs)
	}
	token := w.byPlainHTTP(w.gateway.ServePortal, http.MethodPost, "portal.test", "/token", url.Values{"grant_type": {"client_credentials"}}, func(r *web.Request) {
		r.Header.Set("Accept", "*/*")
		r.Header.Del("Sec-Fetch-Site")
		r.Header.Del("Origin")
	})
	if token.Code != http.StatusBadRequest || strings.Contains(token.Body.String(), "<html") || !strings.Contains(token.Body.String(), `"error":"invalid_request"`) {
		t.Errorf("a program: %d %s", token.Code, token.Body)
	}
}

// An issuer that was left at plain http is named, too: by a form that a browser sends by
// https, and where a trusted proxy says so.
func TestWrongScheme_APortalOfPlainHTTPReachedByHTTPS(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true})
	host := "portal.test" + port(w.portal)
	got := w.byPlainHTTP(w.gateway.ServePortal, http.MethodPost, host, "/login", url.Values{"username": {"alice"}})
	if got.Code != http.StatusBadRequest || !strings.Contains(got.Body.String(), "trusted_proxies") || !strings.Contains(w.logs.String(), schemeLog) {
		t.Errorf("not trusted: %d\n%s\n%s", got.Code, got.Body, w.logs)
	}
	w.clock.advance(2 * time.Minute)
	for _, uri := range []string{"/", "/authorize", "/.well-known/openid-configuration"} {
		got = w.byPlainHTTP(w.gateway.ServePortal, http.MethodGet, host, uri, nil, func(r *web.Request) { r.Scheme, r.TrustedProxy = "https", true })
		if got.Code != http.StatusBadRequest || !strings.Contains(got.Body.String(), "issuer to https") {
			t.Errorf("trusted, %s: %d\n%s", uri, got.Code, got.Body)
		}
	}
	if got := strings.Count(w.logs.String(), "issuer https://portal.test"); got != 1 {
		t.Errorf("logged %d times:\n%s", got, w.logs)
	}
}

// A site whose own server does not trust the proxy asks a portal elsewhere to answer
// by plain http.
func TestWrongScheme_APortalNamesTheSite(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true})
	w.gateway = w.gatewayWith(t, func(c *flows.Config) { c.Sites = []string{"https://app.sites.test"} })
	ask := func(redirect string) *httptest.ResponseRecorder {
		query := url.Values{
			"response_type": {"code"}, "client_id": {"app.sites.test"}, "redirect_uri": {redirect}, "state": {"x"},
			"code_challenge": {strings.Repeat("x", 43)}, "code_challenge_method": {"S256"},
		}
		return w.byPlainHTTP(w.gateway.ServePortal, http.MethodGet, "portal.test"+port(w.portal), "/authorize?"+query.Encode(), nil)
	}
	for _, redirect := range []string{"http://app.sites.test/.gatehouse/callback", "http://app.sites.test:8080/.gatehouse/callback"} {
		if got := ask(redirect); got.Code != http.StatusBadRequest || !strings.Contains(got.Body.String(), "trusted_proxies") || got.Header().Get("Location") != "" {
			t.Errorf("%s: %d\n%s", redirect, got.Code, got.Body)
		}
	}
	if got := ask("http://evil.test/.gatehouse/callback"); strings.Contains(got.Body.String(), "trusted_proxies") {
		t.Error("a stranger's address is taken for a site's")
	}
	// The site knows it by itself where both are in one configuration.
	w.gateway = w.gatewayWith(t, func(c *flows.Config) { c.Issuer, c.Sites = "https://portal.test", []string{"https://app.sites.test"} })
	got := w.byPlainHTTP(w.gateway.ServeSite, http.MethodGet, "app.sites.test", "/.gatehouse/login", nil)
	if got.Code != http.StatusBadRequest || !strings.Contains(got.Body.String(), "trusted_proxies") {
		t.Errorf("%d\n%s", got.Code, got.Body)
	}
}

// A wildcard site has any number of names.
func TestWrongScheme_HostsThatAreRememberedAreBounded(t *testing.T) {
	w := newWorld(t, worldOptions{})
	for i := range 1100 {
		w.byPlainHTTP(w.gateway.ServeSite, http.MethodGet, fmt.Sprintf("h%d.sites.test", i), "/.gatehouse/x", nil, func(r *web.Request) { r.Header.Set("X-Forwarded-Proto", "https") })
	}
	if got := strings.Count(w.logs.String(), schemeLog); got != 1000 {
		t.Errorf("logged %d times", got)
	}
}

// gatewayWith is a gateway of the world with another configuration.
func (w *world) gatewayWith(t *testing.T, change func(*flows.Config)) *flows.Gateway {
	t.Helper()
	c := w.gateway.Config
	change(&c)
	g, err := flows.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return g
}
