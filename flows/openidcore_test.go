package flows_test

import (
	"crypto/sha256"
	"encoding/base64"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/token"
)

// OpenID Connect Core, sections 2, 3.1.3.6 and 12.2: what an ID token says, at
// first and after a refresh.
func TestOpenID_IDToken(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	w.clock.hold(0)
	signedIn := w.clock.now().Unix()
	b := w.signedInBrowser()
	w.clock.advance(3 * time.Minute)
	got := w.tokens(b, set("scope", "openid profile email groups offline_access"))
	header, claims := claimsOf(t, got.answer.text("id_token"))
	sum := sha256.Sum256([]byte(got.answer.text("access_token")))
	now := float64(w.clock.now().Unix())
	for name, want := range map[string]any{
		"iss": w.portalURL(), "aud": "web", "nonce": "n-1", "at_hash": base64.RawURLEncoding.EncodeToString(sum[:16]),
		"iat": now, "exp": now + 20*60, "auth_time": float64(signedIn), "preferred_username": "alice", "email": "alice@example.com", "email_verified": true,
		"azp": nil, "c_hash": nil,
	} {
		if claims[name] != want {
			t.Errorf("%s is %v, want %v", name, claims[name], want)
		}
	}
	if header["alg"] != "ES256" || header["kid"] == "" || header["typ"] != token.TypeID {
		t.Errorf("header %v", header)
	}
	sub, _ := claims["sub"].(string)
	if sub == "" || len(sub) > 255 || strings.Trim(sub, "abcdefghijklmnopqrstuvwxyz234567") != "" {
		t.Errorf("sub %q is not opaque ASCII of at most 255 bytes", sub)
	}
	info := w.send(http.MethodGet, w.portalURL()+"/userinfo", "", "Authorization: Bearer "+got.answer.text("access_token"))
	if info.body["sub"] != sub || info.body["email"] != "alice@example.com" || info.header.Get("Cache-Control") != "no-store" {
		t.Errorf("userinfo: %d %s", info.status, info.text)
	}

	w.clock.advance(time.Minute)
	fresh := w.call("token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {got.answer.text("refresh_token")}}, basic("web"))
	_, again := claimsOf(t, fresh.answer.text("id_token"))
	if again["iss"] != claims["iss"] || again["sub"] != sub || again["aud"] != "web" || again["auth_time"] != float64(signedIn) ||
		again["iat"] != now+60 || again["nonce"] != nil || again["at_hash"] == claims["at_hash"] {
		t.Errorf("after a refresh: %v", again)
	}
	// Somebody is the same the next time, and nobody else.
	_, later := claimsOf(t, w.tokens(w.signedInBrowser(), drop("nonce")).answer.text("id_token"))
	if later["sub"] != sub || later["nonce"] != nil {
		t.Errorf("the next time: %v", later)
	}
	bob := newBrowser(t)
	bob.get(w.siteURL("one")+"/").signIn("bob", "builder").want(200, "hello bob")
	if _, his := claimsOf(t, w.tokens(bob.held(), nil).answer.text("id_token")); his["sub"] == sub {
		t.Error("two people have one subject")
	}
	// Section 3.1.2.1: without openid it is OAuth, and says nothing of a person.
	plain := w.tokens(b, set("scope", "profile"))
	if plain.body["id_token"] != nil {
		t.Error("an ID token that nobody asked for")
	}
	refused := w.send(http.MethodGet, w.portalURL()+"/userinfo", "", "Authorization: Bearer "+plain.answer.text("access_token"))
	if refused.status != http.StatusForbidden || !strings.Contains(refused.header.Get("WWW-Authenticate"), `error="insufficient_scope"`) {
		t.Errorf("userinfo without openid: %d %v", refused.status, refused.header)
	}
}

// OpenID Connect Core, section 3.1.2.1, and RFC 9470: how recent a sign-in must
// be, and whether it is to be repeated, is the client's to say.
func TestOpenID_RecentSignIn(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	b := w.signedInBrowser()
	w.clock.advance(10 * time.Minute)
	params := func(change func(url.Values)) url.Values {
		return with(authorizeParams("web", "https://web.test/cb", "openid"), change)
	}
	for name, c := range map[string]struct {
		change func(url.Values)
		asked  bool
	}{
		"nothing asked for":   {nil, false},
		"recent enough":       {set("max_age", "660"), false},
		"too long ago":        {set("max_age", "540"), true},
		"at once":             {set("max_age", "0"), true},
		"not in our lifetime": {set("max_age", "9999999999"), false},
		"no number is larger": {set("max_age", strconv.Itoa(math.MaxInt)), false},
		"again":               {set("prompt", "login"), true},
		"perhaps as another":  {set("prompt", "select_account"), true},
		"again, and consent":  {set("prompt", "login consent"), true},
	} {
		silent := with(params(c.change), func(v url.Values) {
			if !v.Has("prompt") {
				v.Set("prompt", "none")
			}
		})
		want := ""
		if c.asked {
			want = "login_required"
		}
		if got := w.toClient(b, silent); silent.Get("prompt") == "none" && (got == nil || got.Get("error") != want) {
			t.Errorf("%s, silently: %d %v", name, b.last.StatusCode, got)
		}
		got := w.toClient(b, params(c.change))
		if asks := got == nil && strings.Contains(b.body, "password"); asks != c.asked {
			t.Errorf("%s: %d %v, want a question: %v", name, b.last.StatusCode, got, c.asked)
		}
	}
	// The answer counts from then on, and the ID token says so.
	w.clock.hold(0)
	w.toClient(b, params(set("max_age", "60")))
	b.signIn("alice", "wonderland")
	to, _ := url.Parse(b.last.Header.Get("Location"))
	if b.last.StatusCode != http.StatusSeeOther || to.Host != "web.test" { // 303, never 307 (RFC 9700, section 4.12)
		t.Fatalf("%d to %s", b.last.StatusCode, to)
	}
	_, claims := claimsOf(t, w.call("token", redeem(to.Query().Get("code")), basic("web")).answer.text("id_token"))
	if claims["auth_time"] != float64(w.clock.now().Unix()) {
		t.Errorf("auth_time %v at %d", claims["auth_time"], w.clock.now().Unix())
	}
	if got := w.toClient(b, params(func(v url.Values) { v.Set("max_age", "60"); v.Set("prompt", "none") })); got.Get("code") == "" {
		t.Errorf("after the answer: %v", got)
	}
}

// Section 3.1.2.1: prompt=consent asks even where nobody would be asked, and
// prompt=none never asks.
func TestOpenID_Consent(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	b := w.signedInBrowser()
	params := authorizeParams("web", "https://web.test/cb", "openid email")
	if got := w.toClient(b, with(params, set("prompt", "consent"))); got != nil || !strings.Contains(b.body, "e-mail address") {
		t.Errorf("consent of a first party: %d %v", b.last.StatusCode, got)
	}
	b.submit(url.Values{"decision": {"approve"}})
	if to := b.last.Header.Get("Location"); b.last.StatusCode != http.StatusSeeOther || !strings.Contains(to, "code=") || b.last.Header.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("approved: %d to %s", b.last.StatusCode, to)
	}
	third := authorizeParams("other", "https://other.test/cb", "openid email")
	if got := w.toClient(b, with(third, set("prompt", "none"))); got.Get("error") != "consent_required" {
		t.Errorf("silently, not asked before: %v", got)
	}
}

// Section 3.1.2.1: a request about somebody is never answered with somebody else.
func TestOpenID_HintOfAPerson(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	alice := w.signedInBrowser()
	got := w.tokens(alice, nil)
	hint := got.answer.text("id_token")
	about := func(hint, prompt string) url.Values {
		return with(authorizeParams("web", "https://web.test/cb", "openid"), func(v url.Values) { v.Set("id_token_hint", hint); v.Set("prompt", prompt) })
	}
	bob := newBrowser(t)
	bob.get(w.siteURL("one")+"/").signIn("bob", "builder").want(200, "hello bob")
	bob = bob.held()
	w.clock.advance(time.Hour) // an old one is as good
	for name, c := range map[string]struct {
		b    *browser
		hint string
		want string
	}{
		"herself":           {alice, hint, ""},
		"somebody else":     {bob, hint, "login_required"},
		"nobody":            {newBrowser(t).held(), hint, "login_required"},
		"an access token":   {alice, got.answer.text("access_token"), "invalid_request"},
		"a changed one":     {alice, hint[:len(hint)-2] + "AA", "invalid_request"},
		"an unsigned one":   {alice, hint[:strings.LastIndexByte(hint, '.')+1], "invalid_request"},
		"another client's":  {alice, w.otherIDToken(alice), "invalid_request"},
		"a session's token": {alice, got.answer.text("refresh_token"), "invalid_request"},
	} {
		if answer := w.toClient(c.b, about(c.hint, "none")); answer == nil || answer.Get("error") != c.want {
			t.Errorf("%s: %v, want %q", name, answer, c.want)
		}
	}
	// Bob is asked to sign in, and may not do so as himself.
	if got := w.toClient(bob, about(hint, "")); got != nil {
		t.Fatalf("bob for alice: %v", got)
	}
	page := *bob
	bob.signIn("bob", "builder")
	if to := bob.last.Header.Get("Location"); !strings.Contains(to, "error=login_required") {
		t.Errorf("bob, once more: %s", to)
	}
	bob.last, bob.body = page.last, page.body
	bob.signIn("alice", "wonderland")
	if to := bob.last.Header.Get("Location"); !strings.Contains(to, "code=") {
		t.Errorf("alice, at last: %d %s", bob.last.StatusCode, to)
	}
}

// otherIDToken is an ID token of the client other.
func (w *world) otherIDToken(b *browser) string {
	w.t.Helper()
	w.toClient(b, authorizeParams("other", "https://other.test/cb", "openid"))
	b.submit(url.Values{"decision": {"approve"}})
	to, _ := url.Parse(b.last.Header.Get("Location"))
	form := with(redeem(to.Query().Get("code")), set("redirect_uri", "https://other.test/cb"))
	raw := w.call("token", form, basic("other")).answer.text("id_token")
	if raw == "" {
		w.t.Fatal("no ID token")
	}
	return raw
}
