package flows_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows"
	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

const verifier = "a-verifier-of-more-than-forty-three-characters-123"

func oauthClients() []*client.Client {
	all := []string{"openid", "profile", "email", "groups", "offline_access"}
	return []*client.Client{
		{
			ID: "web", Secrets: []client.Secret{client.NewSecret("web-secret-of-enough-length")}, FirstParty: true, Scopes: all,
			RedirectURIs: []string{"https://web.test/cb"}, Grants: []string{client.GrantCode, client.GrantRefresh, client.GrantClientCredentials},
		},
		{
			ID: "other", Secrets: []client.Secret{client.NewSecret("other-secret-of-enough-length")}, Scopes: all,
			RedirectURIs: []string{"https://other.test/cb"},
		},
		{ID: "native", Public: true, FirstParty: true, Scopes: all, RedirectURIs: []string{"http://127.0.0.1/cb", "com.example.app:/cb"}},
		{ID: "cli", Public: true, Scopes: all, Grants: []string{client.GrantDevice, client.GrantRefresh}},
	}
}

// app is a program that talks to the token endpoint.
type app struct {
	t          *testing.T
	w          *world
	id, secret string
}

type answer struct {
	status int
	body   map[string]any
	header http.Header
}

func (a answer) text(name string) string { s, _ := a.body[name].(string); return s }

func (a app) post(endpoint string, form url.Values) answer {
	a.t.Helper()
	b := newBrowser(a.t)
	form = cloneValues(form)
	if a.secret == "" && a.id != "" {
		form.Set("client_id", a.id)
	}
	req, _ := http.NewRequestWithContext(a.t.Context(), http.MethodPost, a.w.portalURL()+"/"+endpoint, strings.NewReader(form.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if a.secret != "" {
		req.SetBasicAuth(url.QueryEscape(a.id), url.QueryEscape(a.secret))
	}
	b.do(req)
	got := answer{status: b.last.StatusCode, header: b.last.Header, body: map[string]any{}}
	if b.body != "" {
		if err := json.Unmarshal([]byte(b.body), &got.body); err != nil {
			a.t.Fatalf("%s answered %d %s", endpoint, got.status, b.body)
		}
	}
	if got.header.Get("Cache-Control") != "no-store" {
		a.t.Errorf("%s may be cached", endpoint)
	}
	return got
}

func cloneValues(v url.Values) url.Values {
	c := url.Values{}
	for k, vs := range v {
		c[k] = append([]string(nil), vs...)
	}
	return c
}

func authorizeParams(id, redirectURI, scope string) url.Values {
	return url.Values{
		"response_type": {"code"}, "client_id": {id}, "redirect_uri": {redirectURI}, "scope": {scope}, "state": {"s t/ä"},
		"nonce": {"n-1"}, "code_challenge": {client.ChallengeS256(verifier)}, "code_challenge_method": {"S256"},
	}
}

// signedInBrowser is signed in at the portal.
func (w *world) signedInBrowser() *browser {
	w.t.Helper()
	b := newBrowser(w.t)
	b.get(w.siteURL("one")+"/").signIn("alice", "wonderland").want(200, "hello alice")
	return b.held()
}

// code asks for a code as somebody who is signed in.
func (w *world) code(b *browser, params url.Values) string {
	w.t.Helper()
	b.get(w.portalURL() + "/authorize?" + params.Encode())
	to, err := url.Parse(b.last.Header.Get("Location"))
	if err != nil || to.Query().Get("code") == "" {
		w.t.Fatalf("no code: %d %s %s", b.last.StatusCode, b.last.Header.Get("Location"), b.body)
	}
	if got := to.Query(); got.Get("state") != params.Get("state") || got.Get("iss") != w.portalURL() {
		w.t.Fatalf("state or iss is not ours: %s", to)
	}
	return to.Query().Get("code")
}

func redeem(code string) url.Values {
	return url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {"https://web.test/cb"}, "code_verifier": {verifier}}
}

func TestCode_WrongAttemptsConsumeNothingAndReplayRevokes(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	web := app{t, w, "web", "web-secret-of-enough-length"}
	b := w.signedInBrowser()
	code := w.code(b, authorizeParams("web", "https://web.test/cb", "openid offline_access"))

	wrong := map[string]struct {
		who    app
		change func(url.Values)
		error  string
		status int
	}{
		"another client":    {app{t, w, "other", "other-secret-of-enough-length"}, func(url.Values) {}, "invalid_grant", 400},
		"wrong secret":      {app{t, w, "web", "wrong-secret"}, func(url.Values) {}, "invalid_client", 401},
		"no authentication": {app{t, w, "web", ""}, func(url.Values) {}, "invalid_client", 401},
		"unknown client":    {app{t, w, "nobody", ""}, func(url.Values) {}, "invalid_client", 401},
		"wrong verifier":    {web, func(f url.Values) { f.Set("code_verifier", strings.Repeat("x", 43)) }, "invalid_grant", 400},
		"no verifier":       {web, func(f url.Values) { f.Del("code_verifier") }, "invalid_grant", 400},
		"short verifier":    {web, func(f url.Values) { f.Set("code_verifier", "x") }, "invalid_grant", 400},
		"wrong redirect":    {web, func(f url.Values) { f.Set("redirect_uri", "https://web.test/cb2") }, "invalid_grant", 400},
		"no redirect":       {web, func(f url.Values) { f.Del("redirect_uri") }, "invalid_grant", 400},
		"truncated code":    {web, func(f url.Values) { f.Set("code", code[:len(code)-1]) }, "invalid_grant", 400},
		"no code":           {web, func(f url.Values) { f.Del("code") }, "invalid_grant", 400},
		"twice":             {web, func(f url.Values) { f.Add("code", code) }, "invalid_request", 400},
		"no grant":          {web, func(f url.Values) { f.Del("grant_type") }, "invalid_request", 400},
		"unknown grant":     {web, func(f url.Values) { f.Set("grant_type", "password") }, "unsupported_grant_type", 400},
		"foreign grant":     {web, func(f url.Values) { f.Set("grant_type", client.GrantDevice) }, "unauthorized_client", 400},
		"foreign resource":  {web, func(f url.Values) { f.Set("resource", "https://evil.test") }, "invalid_target", 400},
		"two methods":       {web, func(f url.Values) { f.Set("client_secret", "web-secret-of-enough-length") }, "invalid_request", 400},
	}
	for name, c := range wrong {
		form := redeem(code)
		c.change(form)
		if got := c.who.post("token", form); got.status != c.status || got.text("error") != c.error {
			t.Errorf("%s: %d %v", name, got.status, got.body)
		}
	}

	first := web.post("token", redeem(code))
	if first.status != 200 || first.text("refresh_token") == "" || first.text("id_token") == "" || first.text("token_type") != "Bearer" {
		t.Fatalf("the right attempt: %d %v", first.status, first.body)
	}
	active := func(raw string) bool {
		return web.post("introspect", url.Values{"token": {raw}}).body["active"] == true
	}
	if !active(first.text("access_token")) || !active(first.text("refresh_token")) {
		t.Fatal("fresh tokens are not active")
	}
	if got := web.post("token", redeem(code)); got.text("error") != "invalid_grant" {
		t.Fatalf("replay: %v", got.body)
	}
	if active(first.text("access_token")) || active(first.text("refresh_token")) {
		t.Error("a replayed code leaves its tokens alive")
	}
	// What else the person had goes on.
	b.get(w.siteURL("one")+"/").want(200, "hello alice")
}

// TestCode_ParallelRedemptionsHaveNoTwoWinners: the second redemption with
// everything right ends what the first was given (RFC 6749, section 4.1.2), and
// it may come even before the first is answered. So one wins, or none.
func TestCode_ParallelRedemptionsHaveNoTwoWinners(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	web := app{t, w, "web", "web-secret-of-enough-length"}
	code := w.code(w.signedInBrowser(), authorizeParams("web", "https://web.test/cb", "openid"))
	var mu sync.Mutex
	won := 0
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if got := web.post("token", redeem(code)); got.status == 200 {
				mu.Lock()
				won++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if won > 1 {
		t.Errorf("%d redemptions won", won)
	}
}

func TestRefresh_RotatesAndToleratesALostAnswer(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	web := app{t, w, "web", "web-secret-of-enough-length"}
	start := func() string {
		code := w.code(w.signedInBrowser(), authorizeParams("web", "https://web.test/cb", "openid profile offline_access"))
		return web.post("token", redeem(code)).text("refresh_token")
	}
	refresh := func(token string, more ...string) answer {
		form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}
		for i := 0; i+1 < len(more); i += 2 {
			form.Set(more[i], more[i+1])
		}
		return web.post("token", form)
	}
	one := start()
	two := refresh(one)
	if two.status != 200 || two.text("refresh_token") == one {
		t.Fatalf("%d %v", two.status, two.body)
	}
	if again := refresh(one); again.text("refresh_token") != two.text("refresh_token") {
		t.Errorf("a retry inside the grace got another successor: %v", again.body)
	}
	three := refresh(two.text("refresh_token"), "scope", "openid")
	if three.text("scope") != "openid" {
		t.Errorf("the scope was not narrowed: %v", three.body)
	}
	if got := refresh(three.text("refresh_token"), "scope", "openid groups"); got.text("error") != "invalid_scope" {
		t.Errorf("the scope was widened: %v", got.body)
	}
	if got := (app{t, w, "other", "other-secret-of-enough-length"}).post("token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {three.text("refresh_token")}}); got.text("error") != "invalid_grant" {
		t.Errorf("another client refreshed: %v", got.body)
	}
	// Refusals consumed nothing, even after the grace.
	w.clock.advance(time.Minute)
	four := refresh(three.text("refresh_token"))
	if four.status != 200 {
		t.Fatalf("after refusals: %v", four.body)
	}
	// An old one after the grace ends the family.
	if got := refresh(one); got.text("error") != "invalid_grant" {
		t.Errorf("reuse: %v", got.body)
	}
	if got := refresh(four.text("refresh_token")); got.text("error") != "invalid_grant" {
		t.Errorf("the family survived a reuse: %v", got.body)
	}
	for _, junk := range []string{"", "gtr_", one[:len(one)-1], one + "A", two.text("access_token"), "gtr_" + strings.Repeat("A", 5000)} {
		if got := refresh(junk); got.text("error") != "invalid_grant" {
			t.Errorf("junk %.20q: %v", junk, got.body)
		}
	}
}

func TestRevocation_EndsTheFamilyAndItsAccessTokens(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	web, other := app{t, w, "web", "web-secret-of-enough-length"}, app{t, w, "other", "other-secret-of-enough-length"}
	got := web.post("token", redeem(w.code(w.signedInBrowser(), authorizeParams("web", "https://web.test/cb", "openid offline_access"))))
	access, refresh := got.text("access_token"), got.text("refresh_token")
	for _, form := range []url.Values{{"token": {refresh}}, {"token": {access}}, {"token": {"junk"}, "token_type_hint": {"refresh_token"}}} {
		if got := other.post("revoke", form); got.status != 200 {
			t.Errorf("a foreign client's revocation: %d", got.status)
		}
	}
	if other.post("introspect", url.Values{"token": {access}}).body["active"] != false {
		t.Error("another client sees the token")
	}
	info := func() answer {
		b := newBrowser(t)
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, w.portalURL()+"/userinfo", nil)
		req.Header.Set("Authorization", "bearer "+access)
		b.do(req)
		a := answer{status: b.last.StatusCode, header: b.last.Header, body: map[string]any{}}
		_ = json.Unmarshal([]byte(b.body), &a.body)
		return a
	}
	if got := info(); got.status != 200 || got.text("sub") == "" {
		t.Fatalf("userinfo: %d %v", got.status, got.body)
	}
	if got := web.post("revoke", url.Values{"token": {refresh}}); got.status != 200 {
		t.Fatalf("revoke: %d", got.status)
	}
	if got := info(); got.status != 401 || !strings.Contains(got.header.Get("WWW-Authenticate"), "invalid_token") {
		t.Errorf("userinfo after revocation: %d %v", got.status, got.header)
	}
	inactive := web.post("introspect", url.Values{"token": {refresh}})
	if len(inactive.body) != 1 || inactive.body["active"] != false {
		t.Errorf("introspection after revocation: %v", inactive.body)
	}
}

func TestAuthorize_Refusals(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	for name, c := range map[string]struct {
		change func(url.Values)
		error  string // "" : a page, never a redirect
	}{
		"unknown client":     {func(p url.Values) { p.Set("client_id", "nobody") }, ""},
		"foreign redirect":   {func(p url.Values) { p.Set("redirect_uri", "https://evil.test/cb") }, ""},
		"redirect with more": {func(p url.Values) { p.Set("redirect_uri", "https://web.test/cb?x=1") }, ""},
		"traversal":          {func(p url.Values) { p.Set("redirect_uri", "https://web.test/cb/../x") }, ""},
		"userinfo":           {func(p url.Values) { p.Set("redirect_uri", "https://x@web.test/cb") }, ""},
		"fragment":           {func(p url.Values) { p.Set("redirect_uri", "https://web.test/cb#x") }, ""},
		"upper case":         {func(p url.Values) { p.Set("redirect_uri", "https://WEB.test/cb") }, ""},
		"twice":              {func(p url.Values) { p.Add("state", "x") }, ""},
		"unknown pushed":     {func(p url.Values) { p.Set("request_uri", "urn:ietf:params:oauth:request_uri:x") }, ""},
		"no response type":   {func(p url.Values) { p.Del("response_type") }, "invalid_request"},
		"implicit":           {func(p url.Values) { p.Set("response_type", "token") }, "unsupported_response_type"},
		"plain PKCE":         {func(p url.Values) { p.Set("code_challenge_method", "plain") }, "invalid_request"},
		"no PKCE method":     {func(p url.Values) { p.Del("code_challenge_method") }, "invalid_request"},
		"bad challenge":      {func(p url.Values) { p.Set("code_challenge", "x") }, "invalid_request"},
		"empty challenge":    {func(p url.Values) { p.Set("code_challenge", "") }, "invalid_request"},
		"foreign scope":      {func(p url.Values) { p.Set("scope", "openid admin") }, "invalid_scope"},
		"malformed scope":    {func(p url.Values) { p.Set("scope", "openid \"x") }, "invalid_scope"},
		"request object":     {func(p url.Values) { p.Set("request", "x") }, "request_not_supported"},
		"fragment mode":      {func(p url.Values) { p.Set("response_mode", "fragment") }, "invalid_request"},
		"unknown prompt":     {func(p url.Values) { p.Set("prompt", "x") }, "invalid_request"},
		"none and login":     {func(p url.Values) { p.Set("prompt", "none login") }, "invalid_request"},
		"bad max_age":        {func(p url.Values) { p.Set("max_age", "-1") }, "invalid_request"},
		"foreign resource":   {func(p url.Values) { p.Set("resource", "https://evil.test") }, "invalid_target"},
		"nobody there":       {func(p url.Values) { p.Set("prompt", "none") }, "login_required"},
	} {
		params := authorizeParams("web", "https://web.test/cb", "openid")
		c.change(params)
		b := newBrowser(t).held().get(w.portalURL() + "/authorize?" + params.Encode())
		to, _ := url.Parse(b.last.Header.Get("Location"))
		switch {
		case c.error == "" && (b.last.StatusCode != 400 || to.String() != ""):
			t.Errorf("%s: %d to %s", name, b.last.StatusCode, to)
		case c.error != "" && (to.Query().Get("error") != c.error || to.Query().Get("iss") != w.portalURL() || to.Query().Get("state") != "s t/ä" || to.Host != "web.test"):
			t.Errorf("%s: %d to %s", name, b.last.StatusCode, to)
		}
	}
	native := authorizeParams("native", "http://127.0.0.1:4711/cb", "openid")
	native.Del("code_challenge")
	native.Del("code_challenge_method")
	b := newBrowser(t).held().get(w.portalURL() + "/authorize?" + native.Encode())
	if !strings.Contains(b.last.Header.Get("Location"), "error=invalid_request") {
		t.Errorf("a public client without PKCE: %s", b.last.Header.Get("Location"))
	}
}

func TestConsent_IsAskedOnceAndBoundToThePerson(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	b := w.signedInBrowser()
	params := authorizeParams("other", "https://other.test/cb", "openid email")
	b.get(w.portalURL()+"/authorize?"+params.Encode()).want(200, "e-mail address")
	asked := *b
	b.submit(url.Values{"decision": {"refuse"}})
	if !strings.Contains(b.last.Header.Get("Location"), "error=access_denied") {
		t.Fatalf("refusal: %s", b.last.Header.Get("Location"))
	}
	// Another person cannot answer for her.
	mallory := newBrowser(t)
	mallory.get(w.siteURL("one")+"/").signIn("bob", "builder").want(200, "hello bob")
	held := mallory.held()
	held.last, held.body = asked.last, asked.body
	held.submit(url.Values{"decision": {"approve"}}).want(400, "start again")

	b.get(w.portalURL() + "/authorize?" + params.Encode())
	b.submit(url.Values{"decision": {"approve"}})
	if !strings.Contains(b.last.Header.Get("Location"), "code=") {
		t.Fatalf("approval: %d %s", b.last.StatusCode, b.last.Header.Get("Location"))
	}
	w.code(b, params) // not asked again
	params.Set("scope", "openid email groups")
	b.get(w.portalURL()+"/authorize?"+params.Encode()).want(200, "groups")
	params.Set("prompt", "none")
	b.get(w.portalURL() + "/authorize?" + params.Encode())
	if !strings.Contains(b.last.Header.Get("Location"), "error=consent_required") {
		t.Errorf("prompt=none: %s", b.last.Header.Get("Location"))
	}
}

func TestPAR_IsSingleUseAndBoundToItsClient(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	web := app{t, w, "web", "web-secret-of-enough-length"}
	b := w.signedInBrowser()
	pushed := web.post("par", authorizeParams("web", "https://web.test/cb", "openid"))
	uri := pushed.text("request_uri")
	if pushed.status != 201 || !strings.HasPrefix(uri, "urn:ietf:params:oauth:request_uri:") {
		t.Fatalf("%d %v", pushed.status, pushed.body)
	}
	b.get(w.portalURL()+"/authorize?"+url.Values{"client_id": {"other"}, "request_uri": {uri}}.Encode()).want(400, "request_uri")
	b.get(w.portalURL() + "/authorize?" + url.Values{"client_id": {"web"}, "request_uri": {uri}}.Encode())
	to, _ := url.Parse(b.last.Header.Get("Location"))
	if to.Query().Get("code") == "" || to.Query().Get("state") != "s t/ä" {
		t.Fatalf("%d %s", b.last.StatusCode, to)
	}
	if got := web.post("token", redeem(to.Query().Get("code"))); got.status != 200 {
		t.Errorf("%d %v", got.status, got.body)
	}
	b.get(w.portalURL()+"/authorize?"+url.Values{"client_id": {"web"}, "request_uri": {uri}}.Encode()).want(400, "used already")
	for _, name := range []string{"state", "nonce", "redirect_uri", "code_challenge", "response_type"} {
		twice := authorizeParams("web", "https://web.test/cb", "openid")
		twice.Add(name, twice.Get(name))
		if got := web.post("par", twice); got.text("error") != "invalid_request" {
			t.Errorf("%s twice: %v", name, got.body)
		}
	}
	bad := authorizeParams("web", "https://evil.test/cb", "openid")
	if got := web.post("par", bad); got.text("error") != "invalid_request" {
		t.Errorf("a foreign redirect URI was pushed: %v", got.body)
	}
}

func TestClientCredentials(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	web := app{t, w, "web", "web-secret-of-enough-length"}
	got := web.post("token", url.Values{"grant_type": {"client_credentials"}, "resource": {w.siteURL("one")}})
	if got.status != 200 || got.text("refresh_token") != "" || got.text("id_token") != "" {
		t.Fatalf("%d %v", got.status, got.body)
	}
	if open := w.bearer("one", got.text("access_token")); open.status != 200 || !strings.Contains(open.body["text"].(string), "client:web") {
		t.Errorf("%d %v", open.status, open.body)
	}
	if open := w.bearer("two", got.text("access_token")); open.status != 401 {
		t.Errorf("a token of one site opened another: %d", open.status)
	}
	web.post("revoke", url.Values{"token": {got.text("access_token")}})
	if open := w.bearer("one", got.text("access_token")); open.status != 401 {
		t.Errorf("a revoked token opened the site: %d", open.status)
	}
}

// bearer calls a guarded site with an access token.
func (w *world) bearer(site, access string) answer {
	w.t.Helper()
	b := newBrowser(w.t)
	req, _ := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.siteURL(site)+"/api", nil)
	req.Header.Set("Authorization", "Bearer "+access)
	req.Header.Set("Accept", "application/json")
	b.do(req)
	return answer{status: b.last.StatusCode, header: b.last.Header, body: map[string]any{"text": b.body}}
}

func TestGuard_OpensByAccessToken(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	b := w.signedInBrowser()
	params := authorizeParams("web", "https://web.test/cb", "openid offline_access")
	params.Add("resource", w.siteURL("one"))
	web := app{t, w, "web", "web-secret-of-enough-length"}
	got := web.post("token", redeem(w.code(b, params)))
	access := got.text("access_token")
	open := w.bearer("one", access)
	if open.status != 200 || open.header.Get("Upstream-Authorization") != "" {
		t.Fatalf("%d %v", open.status, open.header)
	}
	for name, raw := range map[string]string{"truncated": access[:len(access)-2], "id token": got.text("id_token"), "refresh token": got.text("refresh_token")} {
		if open := w.bearer("one", raw); open.status != 401 {
			t.Errorf("%s: %d", name, open.status)
		}
	}
	// Two credentials of ours are refused; somebody else's pass on.
	with := func(authorization string) *browser {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, w.siteURL("one")+"/api", nil)
		req.Header.Set("Authorization", authorization)
		return b.do(req)
	}
	with("Bearer "+access).want(400, "two credentials")
	with("Basic YTpi").want(200, "hello alice")
	if b.last.Header.Get("Upstream-Authorization") != "Basic YTpi" {
		t.Error("the upstream's own Authorization was lost")
	}
	w.clock.advance(21 * time.Minute)
	if open := w.bearer("one", access); open.status != 401 {
		t.Errorf("an expired token opened the site: %d", open.status)
	}
}

func TestDiscovery_IsTrueAndCacheable(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	b := newBrowser(t)
	for _, path := range []string{"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"} {
		b.get(w.portalURL()+path).want(200, `"issuer":"`+w.portalURL()+`"`)
		if !strings.HasPrefix(b.last.Header.Get("Cache-Control"), "public") {
			t.Errorf("%s: %v", path, b.last.Header)
		}
	}
	var doc map[string]any
	if err := json.Unmarshal([]byte(b.body), &doc); err != nil {
		t.Fatal(err)
	}
	for name, v := range doc {
		endpoint, ok := v.(string)
		if !ok || !strings.HasSuffix(name, "_endpoint") && name != "jwks_uri" {
			continue
		}
		b.get(endpoint)
		if b.last.StatusCode == 404 {
			t.Errorf("%s is not there: %s", name, endpoint)
		}
	}
	b.get(w.portalURL()+"/jwks.json").want(200, `"kid"`)
	if strings.Contains(b.body, `"d"`) {
		t.Error("the key set holds a private key")
	}
}

func TestRevocation_OfATokenWithoutSessionReachesOtherNodes(t *testing.T) {
	first := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	second := newWorld(t, worldOptions{portal: true, clients: oauthClients(), wrap: func(tokenstore.Store, cache.Store) (tokenstore.Store, cache.Store) {
		return first.store, first.cache
	}, issuer: first.portalURL()})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); second.gateway.Run(ctx) }()
	defer func() { cancel(); <-done }()
	one, two := app{t, first, "web", "web-secret-of-enough-length"}, app{t, second, "web", "web-secret-of-enough-length"}
	access := one.post("token", url.Values{"grant_type": {"client_credentials"}}).text("access_token")
	active := func() bool {
		form := url.Values{"token": {access}}
		r := httptest.NewRequest(http.MethodPost, first.portalURL()+"/introspect", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.SetBasicAuth(two.id, two.secret)
		rec := httptest.NewRecorder()
		u, _ := url.Parse(first.portalURL())
		second.gateway.ServePortal(rec, &flows.Request{Request: r, URI: "/introspect", Scheme: "http", Host: u.Host, Client: "192.0.2.1"})
		return strings.Contains(rec.Body.String(), `"active":true`)
	}
	if !active() {
		t.Fatal("the token of one node is not known to the other")
	}
	one.post("revoke", url.Values{"token": {access}})
	for deadline := time.Now().Add(time.Second); active(); {
		if time.Now().After(deadline) {
			t.Fatal("still active a second after its revocation")
		}
		time.Sleep(5 * time.Millisecond)
	}
}
