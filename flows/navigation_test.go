package flows_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/web"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// countingFlows counts the flows that are started.
type countingFlows struct {
	cache.Store
	started *int
}

func (c countingFlows) StartFlow(ctx context.Context, f cache.NewFlow) error {
	*c.started++
	return c.Store.StartFlow(ctx, f)
}

// opened are headers of a browser's requests, by what asks.
var opened = map[string]struct {
	method  string
	headers map[string]string
	begins  bool
}{
	"a person":                {headers: map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Accept": "text/html"}, begins: true},
	"an older browser":        {headers: map[string]string{"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}, begins: true},
	"a service worker's":      {headers: map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "empty", "Accept": "text/html"}, begins: true},
	"an image":                {headers: map[string]string{"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image", "Accept": "image/avif,image/webp,*/*;q=0.8"}},
	"an image, old":           {headers: map[string]string{"Accept": "image/avif,image/webp,*/*;q=0.8"}},
	"a script":                {headers: map[string]string{"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script", "Accept": "*/*"}},
	"a script, old":           {headers: map[string]string{"Accept": "*/*"}},
	"a style":                 {headers: map[string]string{"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "style", "Accept": "text/css,*/*;q=0.1"}},
	"a frame":                 {headers: map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe", "Accept": "text/html"}},
	"an object":               {headers: map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "object", "Accept": "text/html"}},
	"fetch":                   {headers: map[string]string{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Accept": "text/html"}},
	"a manifest":              {headers: map[string]string{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "manifest", "Accept": "*/*"}},
	"prefetch":                {headers: map[string]string{"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "empty", "Sec-Purpose": "prefetch", "Accept": "text/html"}},
	"prefetch, navigating":    {headers: map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Purpose": "prefetch;anonymous-client-ip", "Accept": "text/html"}},
	"prerender":               {headers: map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Purpose": "prefetch;prerender", "Accept": "text/html"}},
	"prefetch, old":           {headers: map[string]string{"Purpose": "prefetch", "Accept": "text/html"}},
	"prefetch, older":         {headers: map[string]string{"X-Moz": "prefetch", "Accept": "text/html"}},
	"HEAD":                    {method: http.MethodHead, headers: map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Accept": "text/html"}},
	"a program":               {headers: map[string]string{}},
	"a made-up destination":   {headers: map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "xyzzy", "Accept": "text/html"}},
	"only another Sec-Fetch-": {headers: map[string]string{"Sec-Fetch-Site": "cross-site", "Accept": "text/html"}},
}

// 200 images on any web page answered 429 to every sign-in of the visitor's address
// for ten minutes. Only a person who opens a page begins a sign-in.
func TestNavigation_OnlyThatBeginsASignIn(t *testing.T) {
	started := 0
	count := func(s tokenstore.Store, c cache.Store) (tokenstore.Store, cache.Store) {
		return s, countingFlows{c, &started}
	}
	_, portal := twoWorldsWith(t, worldOptions{portal: true, wrap: count})
	_, single := twoWorldsWith(t, worldOptions{wrap: count})
	atPortal := "/authorize?" + siteRequest("http://app.sites.test"+port(portal.site)).Encode()
	for name, test := range opened {
		for _, at := range []struct {
			mode    string
			serve   func(http.ResponseWriter, *web.Request)
			uri     string
			hands   bool // to the portal, where a frame may go: nothing is stored
			methods string
		}{
			{"single site", single.gateway.ServeSite, "/.gatehouse/login", false, "GET HEAD"},
			{"site of a portal", portal.gateway.ServeSite, "/.gatehouse/login", true, "GET HEAD"},
			{"portal", portal.gateway.ServePortal, atPortal, false, "GET"},
			{"device page", portal.gateway.ServePortal, "/device?user_code=BCDF-GHJK", false, "GET HEAD"},
		} {
			method := http.MethodGet
			if test.method != "" {
				method = test.method
			}
			if !strings.Contains(at.methods, method) {
				continue
			}
			host := "app.sites.test" + port(portal.site)
			if !strings.HasPrefix(at.uri, "/.gatehouse") {
				host = "portal.test" + port(portal.portal)
			}
			req := httptest.NewRequestWithContext(t.Context(), method, at.uri, nil)
			req.Host = host
			for name, value := range test.headers {
				req.Header.Set(name, value)
			}
			before, rec := started, httptest.NewRecorder()
			at.serve(rec, &web.Request{Request: req, URI: at.uri, Scheme: "http", Host: host, ClientIP: "192.0.2.1"})
			begins := test.begins || at.hands && strings.HasPrefix(name, "a frame") || at.hands && name == "an object"
			if (rec.Code == http.StatusSeeOther) != begins || (len(rec.Result().Cookies()) > 0) != begins || rec.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%s, %s: %d %v", at.mode, name, rec.Code, rec.Header())
			}
			if stored := started - before; (stored > 0) != (test.begins && !at.hands) {
				t.Errorf("%s, %s: %d flows were started", at.mode, name, stored)
			}
		}
	}
}

// siteRequest is an authorization request as a guarded site sends it.
func siteRequest(origin string) url.Values {
	u, _ := url.Parse(origin)
	return url.Values{
		"response_type": {"code"}, "client_id": {u.Hostname()}, "redirect_uri": {origin + "/.gatehouse/callback"}, "state": {"x"},
		"scope": {"openid"}, "code_challenge": {client.ChallengeS256(strings.Repeat("x", 43))}, "code_challenge_method": {"S256"},
	}
}

// Devices and pushed requests that anybody can begin keep no place from sign-ins, nor
// the other way.
func TestStarts_DevicesAndSignInsKeepNoPlaceFromEachOther(t *testing.T) {
	for _, mode := range []string{"portal", "single"} {
		public := &client.Client{ID: "app", Title: "App", Public: true, RedirectURIs: []string{"https://app.test/cb"}, Scopes: []string{"openid"}, Grants: []string{client.GrantCode, client.GrantDevice}}
		_, w := twoWorldsWith(t, worldOptions{portal: mode == "portal", clients: []*client.Client{public}})
		serve, prefix, host := w.gateway.ServePortal, "/", "portal.test"+port(w.portal)
		if mode == "single" {
			serve, prefix, host = w.gateway.ServeSite, "/.gatehouse/", "app.sites.test"
		}
		send := func(method, endpoint string, form url.Values) int {
			req := httptest.NewRequestWithContext(t.Context(), method, prefix+endpoint, strings.NewReader(form.Encode()))
			req.Host = host
			req.Header.Set("Accept", "text/html")
			if form != nil {
				req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			}
			rec := httptest.NewRecorder()
			serve(rec, &web.Request{Request: req, URI: prefix + endpoint, Scheme: "http", Host: host, ClientIP: "192.0.2.1"})
			return rec.Code
		}
		push := url.Values{
			"client_id": {"app"}, "response_type": {"code"}, "redirect_uri": {"https://app.test/cb"}, "scope": {"openid"},
			"code_challenge": {client.ChallengeS256(strings.Repeat("x", 43))}, "code_challenge_method": {"S256"},
		}
		kinds := []struct {
			name  string
			begin func() int
			ok    int
		}{
			{"device", func() int { return send(http.MethodPost, "device_authorization", url.Values{"client_id": {"app"}}) }, 200},
			{"pushed request", func() int { return send(http.MethodPost, "par", push) }, 201},
			{"sign-in", func() int { return send(http.MethodGet, "authorize?"+push.Encode(), nil) }, 303},
		}
		for _, kind := range kinds {
			for i := range 200 {
				if got := kind.begin(); got != kind.ok {
					t.Fatalf("%s, %s %d: %d", mode, kind.name, i, got)
				}
			}
			if got := kind.begin(); got != http.StatusTooManyRequests && got != http.StatusServiceUnavailable {
				t.Errorf("%s, %s: one too many is answered with %d", mode, kind.name, got)
			}
		}
	}
}

// A browser that somebody has signed in with before is not shut out by others of its
// address, nor is one that is signed in.
func TestStarts_AKnownBrowserIsNotShutOutByItsNeighbours(t *testing.T) {
	for _, mode := range []string{"single", "portal"} {
		t.Run(mode, func(t *testing.T) {
			op, w := twoWorldsWith(t, worldOptions{portal: mode == "portal"})
			known := newBrowser(t)
			known.get(w.siteURL("app")+"/").signIn("alice", "wonderland").want(http.StatusOK, "hello ")
			known.get(w.siteURL("app") + "/.gatehouse/logout").submit(nil)
			busy := newBrowser(t)
			busy.get(w.siteURL("app")+"/").signIn("bob", "builder").want(http.StatusOK, "hello ")
			stranger := func() int {
				b := newBrowser(t).held()
				for to := w.siteURL("app") + "/.gatehouse/login"; to != ""; {
					b.get(to)
					if to = b.last.Header.Get("Location"); strings.HasPrefix(to, op.portalURL()) {
						return http.StatusSeeOther
					}
				}
				return b.last.StatusCode
			}
			full := false
			for range 220 {
				if full = stranger() == http.StatusTooManyRequests; full {
					break
				}
			}
			if !full {
				t.Fatal("the address has places yet")
			}
			if mode == "portal" { // the next site needs a code
				busy.get(w.siteURL("wiki")+"/").want(http.StatusOK, "hello ")
			}
			known.get(w.siteURL("app") + "/")
			if known.last.StatusCode != http.StatusOK {
				t.Errorf("a browser that is known: %d\n%s", known.last.StatusCode, known.body)
			}
			w.clock.advance(366 * 24 * time.Hour)
		})
	}
}
