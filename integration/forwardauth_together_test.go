package integration_test

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache/redis/redistest"
	"github.com/gatehouse-auth/gatehouse/integration/browser"
	"github.com/gatehouse-auth/gatehouse/integration/gateway"
	"github.com/gatehouse-auth/gatehouse/integration/openid"
	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres/postgrestest"
)

// browse is a browser whose names of sites lead to the proxy, and addresses elsewhere.
func (a asking) browse(t *testing.T) *browser.Browser {
	t.Helper()
	return browser.New(t, browser.Options{RootCAs: a.roots, Learn: a.node.Secrets.Learn, Route: func(address string) string {
		if host, _, _ := net.SplitHostPort(address); strings.HasSuffix(host, ".example.com") {
			return a.address
		}
		return address
	}})
}

// The issuer is on a host of its own, behind the same proxy.
func TestForwardAuth_ThroughThePortal(t *testing.T) {
	t.Parallel()
	for name, a := range askTogether(t, gateway.Options{}, askingApp(t), askersHere(), "", "issuer https://"+askingPortal, localUsers(t)) {
		b := a.browse(t)
		const asked = "https://app.example.com/private/reports?year=2026&x=%2F"
		page := signIn(t, b, asked, "alice", alicePassword)
		if got := page.URL.String(); got != asked || !strings.Contains(page.Body, "Remote-User: alice") || !strings.Contains(page.Path(), "https://"+askingPortal) {
			t.Errorf("%s: landed on %s\n%s%s", name, got, page.Path(), page.Body)
		}
		page = b.Open("https://other.example.com/private/y?z")
		if got := page.URL.String(); page.Status != http.StatusOK || got != "https://other.example.com/private/y?z" || !strings.Contains(page.Body, "Remote-User: alice") {
			t.Errorf("%s: the second site: %d at %s\n%s", name, page.Status, got, page.Body)
		}
		wantStatus(t, signOut(t, b, "https://app.example.com"), http.StatusOK)
		for _, site := range askingNames {
			if signedIn(t, b, "https://"+site+"/private/") {
				t.Errorf("%s: still signed in at %s", name, site)
			}
		}
		if page := b.Open(asked); !strings.HasPrefix(page.URL.String(), "https://"+askingPortal+"/") {
			t.Errorf("%s: after signing out, the site leads to %s", name, page.URL)
		}
	}
}

// The client's Authorization never goes with the provider's token, and the token goes
// nowhere but to the application.
func TestForwardAuth_PassesTheProvidersToken(t *testing.T) {
	t.Parallel()
	p := openid.Start(t, "https://app.example.com/.gatehouse/callback/sso")
	secrets := new(gateway.Secrets)
	secrets.Learn("client secret", openid.ClientSecret)
	p.Learn(secrets.Learn)
	all := askTogether(t, gateway.Options{Secrets: secrets}, askingApp(t), askersHere(), "provider_token sso", ssoProvider(p, "store_tokens"))
	b := all["nginx"].browse(t)
	signInAtProvider(t, b, "https://app.example.com/private/", "alice")
	cookies := b.Cookies("https://app.example.com")
	for name, a := range all {
		for lie, headers := range map[string][]string{
			"none":       nil,
			"bearer":     {"Authorization: Bearer of-the-client"},
			"basic":      {"Authorization: Basic bWFsbG9yeTptYWxsb3J5"},
			"two":        {"Authorization: Basic bWFsbG9yeTptYWxsb3J5", "Authorization: Bearer of-the-client"},
			"hop by hop": {"Connection: Authorization"},
			"spelt":      {"Authorization_: Bearer of-the-client", "AUTHORIZATION: Bearer of-the-client"},
		} {
			got := a.send(t, cookies, http.MethodGet, "https://app.example.com/private/x", nil, headers...)
			if lie == "two" && got.status == http.StatusBadRequest && !reached(got.body) {
				continue // so says nginx
			}
			issued := slices.ContainsFunc(p.Issued(), func(i openid.Tokens) bool {
				return strings.Contains(got.body, "\nAuthorization: Bearer "+i.Access+"\r\n")
			})
			if got.status != http.StatusOK || !issued || strings.Contains(got.body, "of-the-client") || strings.Contains(got.body, "bWFsbG9yeTptYWxsb3J5") {
				t.Errorf("%s, %s: %d\n%s", name, lie, got.status, got.body)
			}
			if head := fmt.Sprint(got.header); slices.ContainsFunc(p.Issued(), func(i openid.Tokens) bool { return strings.Contains(head, i.Access) }) {
				t.Errorf("%s, %s: the client is told the token: %s", name, lie, head)
			}
		}
		// Where nothing is guarded there is none, and what is the application's own passes.
		got := a.send(t, cookies, http.MethodGet, "https://app.example.com/open", nil, "Authorization: Basic bWFsbG9yeTptYWxsb3J5")
		if got.status != http.StatusOK || !strings.Contains(got.body, "\nAuthorization: Basic bWFsbG9yeTptYWxsb3J5\r\n") || strings.Contains(got.body, "Bearer") {
			t.Errorf("%s, an open path: %d\n%s", name, got.status, got.body)
		}
		for _, uri := range []string{"/private/x", "/open"} {
			got := a.send(t, nil, http.MethodGet, "https://app.example.com"+uri, nil, "Authorization: Bearer of-the-client")
			if strings.Contains(got.body, "Remote-User: a") || uri == "/private/x" && (got.status != http.StatusUnauthorized || reached(got.body)) {
				t.Errorf("%s, a stranger at %s: %d\n%s", name, uri, got.status, got.body)
			}
		}
	}
}

// What is warm asks no store. While the stores are away nothing opens: who is known
// goes on, who is not is told to try again. Without Gatehouse nothing passes at all.
func TestForwardAuth_WhenStoresAreAway(t *testing.T) {
	t.Parallel()
	database, postgres := throughProxy(t, postgrestest.URL(t))
	redis, redisProxy := throughProxy(t, redistest.URL(t))
	all := askTogether(t, gateway.Options{Env: sharedEnv(database, redis)}, askingApp(t), append(askersHere(), "envoy"), "",
		append([]string{localUsers(t)}, shared...)...)
	n := all["nginx"].node
	const site = "https://app.example.com/private/x"
	known, unknown := all["nginx"].browse(t), all["nginx"].browse(t)
	signIn(t, known, site, "alice", alicePassword)
	signIn(t, unknown, site, "bob", bobPassword)
	n.Kill(t)
	n.Restart(t)
	alice, bob := known.Cookies(site), unknown.Cookies(site)

	const times = 100
	for name, a := range all {
		a.ask(t, alice) // now it is known
		before := postgres.Sent() + redisProxy.Sent()
		for range times {
			a.ask(t, alice)
		}
		// What goes on in the background is no part of an answer.
		if sent := postgres.Sent() + redisProxy.Sent() - before; sent > times/4 {
			t.Errorf("%s: %d questions were %d to the stores", name, times, sent)
		}
	}

	postgres.Cut()
	redisProxy.Cut()
	for name, a := range all {
		if askers[name] == nil {
			continue
		}
		if got := a.send(t, alice, http.MethodGet, site, nil); got.status != http.StatusOK || !strings.Contains(got.body, "Remote-User: alice") {
			t.Errorf("%s: an outage ended a known session: %d\n%s", name, got.status, got.body)
		}
		got := a.send(t, bob, http.MethodGet, site, nil)
		if got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" || reached(got.body) || got.header.Get("Set-Cookie") != "" {
			t.Errorf("%s: a session that cannot be looked up: %d %v\n%s", name, got.status, got.header, got.body)
		}
		if got := a.send(t, nil, http.MethodGet, site, nil); got.status != http.StatusUnauthorized {
			t.Errorf("%s: a stranger: %d", name, got.status)
		}
	}
	n.Kill(t)
	for name, a := range all {
		if askers[name] == nil {
			continue
		}
		for _, uri := range []string{site, "https://app.example.com/open", "https://app.example.com/.gatehouse/login"} {
			if got := a.send(t, alice, http.MethodGet, uri, nil); got.status < 500 || reached(got.body) {
				t.Errorf("%s: without Gatehouse, %s: %d\n%s", name, uri, got.status, got.body)
			}
		}
	}
}

// ask asks as the proxy does about a request with cookies, and expects a yes.
func (a asking) ask(t *testing.T, cookies []*http.Cookie) {
	t.Helper()
	target := "http://" + a.gate + "/forward_auth"
	if a.name == "envoy" {
		target += "/private/x"
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	if a.name == "envoy" {
		req.Host = "app.example.com"
	}
	for name, value := range map[string]string{
		"X-Original-Method": "GET", "X-Original-URL": "https://app.example.com/private/x", "X-Forwarded-Method": "GET", "X-Forwarded-Proto": "https",
		"X-Forwarded-Host": "app.example.com", "X-Forwarded-Uri": "/private/x", "Cookie": cookieHeader(cookies),
	} {
		req.Header.Set(name, value)
	}
	resp, err := (&http.Client{Timeout: time.Minute}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Remote-User") != "alice" {
		t.Fatalf("%s: %s", a.name, resp.Status)
	}
}
