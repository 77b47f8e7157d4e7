package integration_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/integration/browser"
	"github.com/gatehouse-auth/gatehouse/integration/gateway"
	"github.com/gatehouse-auth/gatehouse/integration/openid"
	"github.com/gatehouse-auth/gatehouse/integration/upstream"
)

// passing is a guarded site whose upstream gets the provider's token. The log is
// at its most talkative, and shows credentials as far as Caddy would.
func passing(address, app string) string {
	return address + ` {
	log
	gatehouse {
		provider_token sso
	}
	reverse_proxy ` + app + "\n}\n"
}

// startPassing is startSSO with an upstream that gets the provider's token.
func startPassing(t *testing.T, lifetime time.Duration) sso {
	t.Helper()
	p := openid.Start(t, ssoCallback)
	p.TokensLive(lifetime)
	app := upstream.Start(t)
	secrets := new(gateway.Secrets)
	secrets.Learn("client secret", openid.ClientSecret)
	p.Learn(secrets.Learn)
	return sso{
		provider: p, app: app,
		node: gateway.Start(t, gateway.Options{
			Caddyfile: strings.Replace(global(ssoProvider(p, "store_tokens")), "{\n", "{\n\tdebug\n", 1) + passing(ssoSite, app.Addr),
			Secrets:   secrets,
		}),
	}
}

// passed is the token that the upstream was given at last.
func (s sso) passed(t testing.TB) string {
	t.Helper()
	values := s.app.Last(t).Header["Authorization"]
	if len(values) != 1 || !strings.HasPrefix(values[0], "Bearer ") {
		t.Fatalf("the upstream got Authorization %q, want one bearer token", values)
	}
	return strings.TrimPrefix(values[0], "Bearer ")
}

// latest is the access token that the provider issued at last.
func (s sso) latest() string {
	issued := s.provider.Issued()
	return issued[len(issued)-1].Access
}

func (s sso) isIssued(token string) bool {
	return slices.ContainsFunc(s.provider.Issued(), func(i openid.Tokens) bool { return i.Access == token })
}

func TestProviderToken_ReachesTheUpstreamAndStaysFresh(t *testing.T) {
	t.Parallel()
	s := startPassing(t, 12*time.Second)
	b := newBrowser(t, s.node)
	signInAtProvider(t, b, ssoSite+"/", "alice")
	first := s.passed(t)
	if !s.isIssued(first) {
		t.Fatal("the upstream got a token that the provider did not issue")
	}

	// Warm requests ask nobody.
	wantStatus(t, b.Open(ssoSite+"/again"), http.StatusOK)
	if s.passed(t) != first && !s.isIssued(s.passed(t)) {
		t.Error("the upstream got another token")
	}

	// A client's own Authorization never goes with it, nor can the client have
	// ours taken away.
	for name, lie := range map[string][]string{
		"bearer":            {"Authorization: Bearer of-the-client"},
		"basic":             {"Authorization: Basic bWFsbG9yeTptYWxsb3J5"},
		"several":           {"Authorization: Bearer of-the-client", "authorization: Basic bWFsbG9yeQ=="},
		"hop by hop":        {"Connection: close, Authorization"},
		"hop by hop, small": {"connection: authorization"},
	} {
		wantStatus(t, b.Send(http.MethodGet, ssoSite+"/", lie...), http.StatusOK)
		if got := s.passed(t); !s.isIssued(got) {
			t.Errorf("%s: the upstream got a token of the client's", name)
		}
	}

	// When it has expired, the upstream gets a fresh one, and so on.
	seen := []string{first}
	await(t, 60*time.Second, "a second and a third token", func() bool {
		wantStatus(t, b.Open(ssoSite+"/later"), http.StatusOK)
		if token := s.passed(t); !slices.Contains(seen, token) {
			seen = append(seen, token)
		}
		return len(seen) == 3
	})
	for _, token := range seen {
		if !s.isIssued(token) {
			t.Error("the upstream got a token that the provider did not issue")
		}
	}
}

func TestProviderToken_AProviderThatIsAwayOrRefuses(t *testing.T) {
	t.Parallel()
	s := startPassing(t, 4*time.Second)
	b := newBrowser(t, s.node)
	signInAtProvider(t, b, ssoSite+"/", "alice")

	// Down: the person can do nothing, and stays signed in.
	s.provider.SetDown(true)
	var page *browser.Page
	await(t, 30*time.Second, "the token's end", func() bool {
		page = b.Step(ssoSite + "/")
		return page.Status != http.StatusOK
	})
	wantStatus(t, page, http.StatusServiceUnavailable)
	if page.Header.Get("Retry-After") == "" || strings.Contains(page.Header.Get("Set-Cookie"), "gatehouse") {
		t.Errorf("headers are %v", page.Header)
	}
	program := b.Fetch(http.MethodGet, ssoSite+"/api")
	wantStatus(t, program, http.StatusServiceUnavailable)
	if got := program.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("a program gets %s", got)
	}
	s.provider.SetDown(false)
	await(t, 60*time.Second, "the provider's return", func() bool { return b.Step(ssoSite+"/").Status == http.StatusOK })

	// Refused for good: the sign-in there has ended, and with it the one here.
	s.provider.RefuseRefreshes(true)
	await(t, 30*time.Second, "the refusal", func() bool {
		program = b.Fetch(http.MethodGet, ssoSite+"/api")
		return program.Status != http.StatusOK
	})
	wantStatus(t, program, http.StatusUnauthorized, http.StatusForbidden) // the session's end is told a moment later
	wantStatus(t, b.Step(ssoSite+"/"), http.StatusSeeOther)
	s.provider.RefuseRefreshes(false)
	signInAtProvider(t, b, ssoSite+"/", "alice")
	if got := s.passed(t); got != s.latest() {
		t.Error("the upstream did not get the token of the new sign-in")
	}
}

// A provider that gives no refresh token: its access token is passed on while it is
// good. Whoever loses it is sent to sign in for another one, however young the session
// is, and comes back to the very page; whoever has just been there for it is not sent
// there again and again.
func TestProviderToken_WithoutRefreshTokens(t *testing.T) {
	t.Parallel()
	s := startPassing(t, time.Hour)
	s.provider.GiveNoRefreshTokens(true)
	b := newBrowser(t, s.node)
	signInAtProvider(t, b, ssoSite+"/reports", "alice")
	if got := s.passed(t); got != s.latest() {
		t.Error("the upstream did not get the token of the sign-in")
	}
	wantStatus(t, b.Fetch(http.MethodGet, ssoSite+"/api"), http.StatusOK)

	s.removeTokens(t)
	program := b.Fetch(http.MethodGet, ssoSite+"/api")
	wantStatus(t, program, http.StatusForbidden)
	var problem struct {
		LinkURL string `json:"link_url"`
	}
	if err := json.Unmarshal([]byte(program.Body), &problem); err != nil || !strings.Contains(problem.LinkURL, "provider=sso") {
		t.Fatalf("link_url is %q (%v)", problem.LinkURL, err)
	}
	before := len(s.app.Requests())
	page := login(t, b, b.Open(ssoSite+"/reports?year=2026"), "alice", openid.Password)
	wantStatus(t, page, http.StatusOK)
	if requests := s.app.Requests(); len(requests) != before+1 || requests[before].URI != "/reports?year=2026" {
		t.Errorf("the upstream got %d requests, the last %+v", len(requests)-before, requests[len(requests)-1])
	}
	if got := s.passed(t); got != s.latest() {
		t.Error("the upstream did not get the token of the new sign-in")
	}

	s.removeTokens(t)
	page = b.Step(ssoSite + "/reports")
	wantStatus(t, page, http.StatusBadGateway)
	if len(page.Links()) == 0 {
		t.Errorf("the page shows no way on: %s", page.Text())
	}
	program = b.Fetch(http.MethodGet, ssoSite+"/api")
	wantStatus(t, program, http.StatusForbidden)
	if strings.Contains(program.Body, "_url") {
		t.Errorf("a program is told to sign in again and again: %s", program.Body)
	}
	page = login(t, b, b.Open(problem.LinkURL), "alice", openid.Password) // by hand
	wantStatus(t, page, http.StatusOK)
}

// removeTokens has the operator remove all tokens.
func (s sso) removeTokens(t testing.TB) {
	t.Helper()
	answer, err := s.node.Admin(t, http.MethodGet, "/gatehouse/tokens?provider=sso", "", "")
	if err != nil {
		t.Fatal(err)
	}
	var page struct{ Tokens []struct{ Subject string } }
	if err := json.Unmarshal([]byte(answer), &page); err != nil || len(page.Tokens) == 0 {
		t.Fatalf("no token is listed: %s (%v)", answer, err)
	}
	for _, token := range page.Tokens {
		s.node.Verb(t, "tokens", "remove", "--subject", token.Subject)
	}
}

// Somebody who came another way is sent to the provider, once, and has their
// token passed on.
func TestProviderToken_SomebodyWhoCameAnotherWay(t *testing.T) {
	t.Parallel()
	p := openid.Start(t, ssoCallback)
	app := upstream.Start(t)
	n := gateway.Start(t, gateway.Options{
		Caddyfile: global(localUsers(t), ssoProvider(p, "store_tokens")) + passing(ssoSite, app.Addr),
	})
	p.Learn(n.Secrets.Learn)
	b := newBrowser(t, n)
	page := connect(t, b, login(t, b, b.Open(ssoSite+"/reports?year=2026"), "alice", alicePassword))
	if !strings.HasPrefix(page.URL.String(), p.Issuer) {
		t.Fatalf("alice, who has no token, is at %s:\n%s", page.URL, page.Path())
	}
	page = login(t, b, page, "alice", openid.Password)
	wantStatus(t, page, http.StatusOK)
	if got := page.URL.String(); got != ssoSite+"/reports?year=2026" {
		t.Errorf("landed on %s", got)
	}
	s := sso{provider: p, app: app}
	if s.passed(t) != s.latest() {
		t.Error("the upstream did not get the provider's token")
	}
}

// With a portal, which signs people in for the site, too.
func TestProviderToken_ThroughThePortal(t *testing.T) {
	t.Parallel()
	const portal = "http://auth.localhost"
	p := openid.Start(t, portal+"/callback/sso")
	app := upstream.Start(t)
	n := gateway.Start(t, gateway.Options{
		Caddyfile: global("issuer "+portal, localUsers(t), ssoProvider(p, "store_tokens")) + portal + " {\n\tgatehouse_portal\n}\n" + passing(ssoSite, app.Addr),
	})
	p.Learn(n.Secrets.Learn)
	b := newBrowser(t, n)
	page := connect(t, b, login(t, b, b.Open(ssoSite+"/reports?year=2026"), "alice", alicePassword))
	if !strings.HasPrefix(page.URL.String(), p.Issuer) {
		t.Fatalf("alice, who has no token, is at %s:\n%s", page.URL, page.Path())
	}
	page = login(t, b, page, "alice", openid.Password)
	wantStatus(t, page, http.StatusOK)
	if got := page.URL.String(); got != ssoSite+"/reports?year=2026" {
		t.Errorf("landed on %s", got)
	}
	s := sso{provider: p, app: app}
	if s.passed(t) != s.latest() {
		t.Error("the upstream did not get the provider's token")
	}
	// A provider that the portal does not know sends nobody round in circles.
	lost := b.Open(portal + "/authorize?client_id=app.localhost&provider=nonesuch&response_type=code&scope=openid&state=x&redirect_uri=" +
		ssoSite + "/.gatehouse/callback&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256")
	wantStatus(t, lost, http.StatusBadRequest)
}

// A sign-out closes the site; the token stays in the vault, for it belongs to
// the person and not to the session.
func TestProviderToken_SignOut(t *testing.T) {
	t.Parallel()
	s := startPassing(t, time.Hour)
	b := newBrowser(t, s.node)
	signInAtProvider(t, b, ssoSite+"/", "alice")
	signOut(t, b, ssoSite)
	before := len(s.app.Requests())
	if signedIn(t, b, ssoSite+"/") || len(s.app.Requests()) != before {
		t.Error("the upstream still gets requests after the sign-out")
	}
}

func TestProviderToken_LoadErrors(t *testing.T) {
	t.Parallel()
	p := openid.Start(t, ssoCallback)
	said := gateway.Refuse(t, gateway.Options{Caddyfile: global(ssoProvider(p)) + passing(ssoSite, "127.0.0.1:9")})
	for _, want := range []string{"store_tokens", "Caddyfile:"} {
		if !strings.Contains(said, want) {
			t.Errorf("the refusal does not name %q:\n%s", want, said)
		}
	}
}

// The operator sees what is kept, never the tokens, and removes it: nobody
// passes it on any more, and it is revoked at the provider.
func TestProviderToken_TheOperatorListsAndRemoves(t *testing.T) {
	t.Parallel()
	s := startPassing(t, time.Hour)
	b := newBrowser(t, s.node)
	signInAtProvider(t, b, ssoSite+"/", "alice")
	admin := func(method, path string) string {
		t.Helper()
		answer, err := s.node.Admin(t, method, path, "", "")
		if err != nil {
			t.Fatal(err)
		}
		for _, issued := range s.provider.Issued() {
			if strings.Contains(answer, issued.Access) || strings.Contains(answer, issued.Refresh) {
				t.Errorf("%s shows a token", path)
			}
		}
		return answer
	}
	var page struct {
		Tokens []struct {
			Subject, Provider, Issuer string
		}
	}
	if err := json.Unmarshal([]byte(admin(http.MethodGet, "/gatehouse/tokens?provider=sso")), &page); err != nil {
		t.Fatal(err)
	}
	if len(page.Tokens) != 1 || page.Tokens[0].Provider != "sso" || page.Tokens[0].Issuer != s.provider.Issuer {
		t.Fatalf("listed are %+v", page.Tokens)
	}
	for _, path := range []string{"/gatehouse/tokens", "/gatehouse/tokens?subjct=x", "/gatehouse/tokens?revoked=perhaps&all=true"} {
		if answer, err := s.node.Admin(t, http.MethodGet, path, "", ""); err == nil {
			t.Errorf("%s is answered with %s", path, answer)
		}
	}
	if said := s.node.Verb(t, "tokens", "list", "--provider", "sso"); !strings.Contains(said, page.Tokens[0].Subject) || !strings.Contains(said, "good") {
		t.Errorf("gatehouse tokens list says:\n%s", said)
	}
	if said := s.node.Verb(t, "tokens", "remove", "--subject", page.Tokens[0].Subject); !strings.Contains(said, page.Tokens[0].Subject) {
		t.Errorf("gatehouse tokens remove says:\n%s", said)
	}
	wantStatus(t, b.Fetch(http.MethodGet, ssoSite+"/api"), http.StatusForbidden)
	await(t, 30*time.Second, "the revocation at the provider", func() bool { return s.provider.Requests("/revoke") > 0 })
	if metrics := admin(http.MethodGet, "/metrics"); !strings.Contains(metrics, `caddy_gatehouse_provider_tokens_unavailable_total{provider="sso",reason="missing"} 1`) {
		t.Error("the metrics do not count the request that was refused")
	}

	// One that leaked is removed by its value, which no command line shows.
	revocations := s.provider.Requests("/revoke")
	signInAtProvider(t, b, ssoSite+"/", "alice")
	issued := s.provider.Issued()
	leaked := filepath.Join(t.TempDir(), "leaked")
	if err := os.WriteFile(leaked, []byte(issued[len(issued)-1].Refresh+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if said := s.node.Verb(t, "tokens", "remove", "--token-file", leaked); !strings.Contains(said, page.Tokens[0].Subject) {
		t.Errorf("gatehouse tokens remove --token-file says:\n%s", said)
	}
	wantStatus(t, b.Fetch(http.MethodGet, ssoSite+"/api"), http.StatusForbidden)
	await(t, 30*time.Second, "the second revocation at the provider", func() bool { return s.provider.Requests("/revoke") > revocations })

	// All of a provider's.
	revocations = s.provider.Requests("/revoke")
	b = newBrowser(t, s.node)
	signInAtProvider(t, b, ssoSite+"/", "alice")
	if said := s.node.Verb(t, "tokens", "remove", "--provider", "sso"); !strings.Contains(said, page.Tokens[0].Subject) {
		t.Errorf("gatehouse tokens remove --provider says:\n%s", said)
	}
	wantStatus(t, b.Fetch(http.MethodGet, ssoSite+"/api"), http.StatusForbidden)
	await(t, 30*time.Second, "the third revocation at the provider", func() bool { return s.provider.Requests("/revoke") > revocations })
	if answer, err := s.node.Admin(t, http.MethodPost, "/gatehouse/remove-tokens?all=true", "application/x-www-form-urlencoded", "token=x"); err == nil {
		t.Errorf("a value and a condition are answered with %s", answer)
	}
}

// connect follows a refusal's link to where a provider is linked, and agrees.
func connect(t *testing.T, b *browser.Browser, page *browser.Page) *browser.Page {
	t.Helper()
	wantStatus(t, page, http.StatusForbidden)
	for _, address := range page.Links() {
		if !strings.Contains(address, "/link") {
			continue
		}
		page = b.Open(address)
		forms := page.Forms()
		if len(forms) == 0 {
			t.Fatalf("no form to link by:\n%s%s", page.Path(), page.Text())
		}
		return b.Submit(page, forms[0], nil)
	}
	t.Fatalf("no link to where the provider is linked:\n%s%s", page.Path(), page.Text())
	return nil
}
