package caddymodule

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// An upstream's 401 to a token of GitHub's OAuth App (jlowin/fastmcp#2534) is passed
// on as it is, unless GitHub refuses the token as well: then the person signs in
// again, and comes back to the very request.
func TestProviderToken_AnUpstreamsRefusalIsTheProvidersToConfirm(t *testing.T) {
	var revoked, refuses atomic.Bool
	var asked, served atomic.Int32
	hub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.Header().Set("Content-Type", "application/json")
		if revoked.Load() {
			w.WriteHeader(http.StatusUnauthorized)
		}
		_, _ = io.WriteString(w, `{"id":7,"login":"octo","type":"User"}`)
	}))
	defer hub.Close()
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		served.Add(1)
		if got := r.Header.Get("Authorization"); got != "Bearer gho_one" {
			t.Errorf("the upstream was given %q", got)
		}
		w.Header().Set("X-App", "mine")
		w.Header().Set("Content-Type", "text/plain")
		if refuses.Load() {
			w.Header().Set("WWW-Authenticate", `Custom realm="app"`)
			w.WriteHeader(http.StatusUnauthorized)
		}
		_, _ = io.WriteString(w, strings.Repeat("the app's own words ", 1000))
	}))
	defer upstream.Close()
	r := serve(t, "provider github {\n\tclient_id app\n\tclient_secret secret\n\turl "+hub.URL+"\n\tscopes repo\n\tallow anyone\n\tstore_tokens\n}\n",
		"http://app.example.com {\n\theader X-Site ours\n\tgatehouse {\n\t\tprovider_token github\n\t}\n\treverse_proxy "+strings.TrimPrefix(upstream.URL, "http://")+"\n}")
	cookie := r.signIn("app.example.com", func(c *identity.Claims) {
		c.Provider, c.Issuer, c.ID, c.User = "github", hub.URL, "7", "github:7"
	})
	subject, err := r.app.shared.store.FindSubject(t.Context(), tokenstore.Identity{Issuer: hub.URL, Subject: "7"})
	if err != nil {
		t.Fatal(err)
	}
	put := func() {
		t.Helper()
		if _, err := r.app.gateway.Load().Vault.Put(t.Context(), subject.ID, "github", provider.Token{AccessToken: "gho_one", TokenType: "bearer", Scope: "repo"}); err != nil {
			t.Fatal(err)
		}
	}
	put()
	own := func(when string, rec *httptest.ResponseRecorder, status int) {
		t.Helper()
		wantStatus(t, rec, status)
		if rec.Header().Get("X-App") != "mine" || rec.Body.Len() != 20_000 || rec.Header().Get("X-Site") != "ours" {
			t.Errorf("%s: the app's answer is not passed on: %v, %d bytes", when, rec.Header(), rec.Body.Len())
		}
	}
	const deep = "http://app.example.com/deep?x=1"
	own("a good answer", r.do(navigation(deep, cookie)), http.StatusOK)
	revoked.Store(true)
	own("a good answer, whatever the provider would say", r.do(navigation(deep, cookie)), http.StatusOK)
	if asked.Load() != 0 {
		t.Errorf("the provider was asked %d times though nothing was refused", asked.Load())
	}
	revoked.Store(false)
	refuses.Store(true)
	for range 3 {
		own("refused for a reason of the app's", r.do(navigation(deep, cookie)), http.StatusUnauthorized)
	}
	if asked.Load() != 1 {
		t.Errorf("the provider was asked %d times, want once a minute", asked.Load())
	}

	// A reload begins the minute anew, as another node does.
	again, err := start(t, config(t, t.TempDir(), "provider github {\n\tclient_id app\n\tclient_secret secret\n\turl "+hub.URL+"\n\tscopes repo\n\tallow anyone\n\tstore_tokens\n}\n",
		"http://app.example.com {\n\theader X-Site ours\n\tgatehouse {\n\t\tprovider_token github\n\t}\n\treverse_proxy "+strings.TrimPrefix(upstream.URL, "http://")+"\n}"))
	if err != nil {
		t.Fatal(err)
	}
	defer again.stop()
	r = again
	for name, navigates := range map[string]bool{"a program": false, "a browser": true} {
		cookie = r.signIn("app.example.com", func(c *identity.Claims) {
			c.Provider, c.Issuer, c.ID, c.User = "github", hub.URL, name, name
		})
		if subject, err = r.app.shared.store.FindSubject(t.Context(), tokenstore.Identity{Issuer: hub.URL, Subject: name}); err != nil {
			t.Fatal(err)
		}
		put()
		revoked.Store(true)
		before := served.Load()
		req := get(deep, cookie)
		if navigates {
			req = navigation(deep, cookie)
		}
		rec := r.do(req)
		if served.Load() != before+1 {
			t.Errorf("%s: the upstream was not asked", name)
		}
		if rec.Header().Get("X-App") != "" || rec.Header().Get("Content-Length") == "20000" || strings.Contains(rec.Body.String(), "own words") ||
			strings.Contains(rec.Header().Get("WWW-Authenticate"), "Custom") {
			t.Errorf("%s: the app's answer is mixed into ours: %v %.80s", name, rec.Header(), rec.Body)
		}
		if rec.Header().Get("X-Site") != "ours" {
			t.Errorf("%s: the site's own headers are lost: %v", name, rec.Header())
		}
		if !navigates {
			wantStatus(t, rec, http.StatusForbidden)
			if !strings.Contains(rec.Body.String(), `"link_url"`) {
				t.Errorf("%s: %s", name, rec.Body)
			}
			continue
		}
		wantStatus(t, rec, http.StatusSeeOther)
		if got := rec.Header().Get("Location"); got != "/.gatehouse/login?provider=github&return_to=%2Fdeep%3Fx%3D1" {
			t.Errorf("%s: it is sent to %s", name, got)
		}
	}
}
