package upgrade_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/gatehouse-auth/gatehouse/integration/gateway"
)

// TestDatabase_OfTheOldGatewayLivesOn: today's gateway starts on what the old one
// wrote. Nobody signs in again, no program gets other tokens than it would have,
// and whoever was out stays out.
func TestDatabase_OfTheOldGatewayLivesOn(t *testing.T) {
	for driver, restore := range kept {
		t.Run(driver, func(t *testing.T) {
			store, env := restore(t)
			logouts := receiveLogouts(t)
			w := newWorld(t, store, "memory", env...)
			h := readHeld(t, driver)
			h.learn(w.secrets.Learn)
			n := w.start(t, "")
			p := newProgram(t, n)
			await(t, "the signing keys", func() bool { return len(keysOf(t, p).Keys) > 0 })

			t.Run("sessions", func(t *testing.T) { checkSessions(t, n, w, h) })
			t.Run("who was out stays out", func(t *testing.T) { checkEnded(t, n, h) })
			t.Run("consent", func(t *testing.T) { checkConsent(t, n, p, h) })
			t.Run("refresh tokens", func(t *testing.T) { checkRefreshTokens(t, p, h) })
			t.Run("provider token", func(t *testing.T) { checkProviderToken(t, n, w, h) })
			t.Run("outbox", func(t *testing.T) { checkOutbox(t, p, w, h, logouts) })
			t.Run("signing keys", func(t *testing.T) { checkSigningKeys(t, n, p, h) })
			t.Run("a site without a portal", func(t *testing.T) {
				if err := n.Reload(t, caddyfile(t, "alone.Caddyfile")); err != nil {
					t.Fatal(err)
				}
				b := h.restore(t, "alice alone", newBrowser(t, n))
				await(t, "the reload", func() bool { return isIn(b, alone) })
				if isIn(newBrowser(t, n), alone) {
					t.Error("the site is open to everybody, so this test would prove nothing")
				}
			})
		})
	}
}

func checkSessions(t *testing.T, n *gateway.Node, w *world, h *held) {
	alice := h.restore(t, "alice", newBrowser(t, n))
	if !isIn(alice, app) {
		t.Fatal("alice's session at the site is lost")
	}
	if got := w.app.Last(t).Header.Get("Remote-User"); got != "alice" {
		t.Errorf("the upstream is told of %q", got)
	}
	// The portal hands her over to a site that she was not at.
	page := alice.Open(staff + "/")
	if page.Status != http.StatusOK || host(staff) != page.URL.Host {
		t.Errorf("alice's session at the portal is lost:\n%s", page.Path())
	}
	if isIn(newBrowser(t, n), app) {
		t.Error("the site is open to everybody, so this test would prove nothing")
	}
}

func checkEnded(t *testing.T, n *gateway.Node, h *held) {
	for _, who := range []string{"bob, signed out", "mallory, suspended"} {
		b := h.restore(t, who, newBrowser(t, n))
		if isIn(b, app) {
			t.Errorf("the site lets in %s", who)
		}
		if page := b.Open(app + "/"); page.URL.Host == host(app) && page.Status == http.StatusOK {
			t.Errorf("the portal lets in %s", who)
		}
	}
	b := newBrowser(t, n)
	if page := login(t, b, b.Open(app+"/"), "mallory", malloryPassword); page.Status == http.StatusOK && page.URL.Host == host(app) {
		t.Error("mallory, who is suspended, signed in anew")
	}
	p := newProgram(t, n)
	for _, who := range []string{"cli of bob, revoked", "cli of mallory, suspended"} {
		if a := p.refresh("cli", "", h.Refresh[who]); a.Error != "invalid_grant" {
			t.Errorf("%s: refreshing answers %d %s", who, a.status, a.Error)
		}
	}
}

func checkConsent(t *testing.T, n *gateway.Node, p program, h *held) {
	alice := h.restore(t, "alice", newBrowser(t, n))
	code, asked := codeForWiki(t, alice, "openid profile offline_access")
	if asked {
		t.Error("alice is asked again for what she allowed the client")
	}
	if a := p.redeem(code); a.status != http.StatusOK || a.Refresh == "" {
		t.Errorf("redeeming answers %d %s", a.status, a.Error)
	}
	if page := alice.Open(authorizeURL("openid email")); !asksConsent(page) {
		t.Error("alice is not asked for more than she allowed, so this test would prove nothing")
	}
}

func checkRefreshTokens(t *testing.T, p program, h *held) {
	for _, c := range []struct{ client, secret string }{{"cli", ""}, {"wiki", wikiSecret}} {
		old := h.Refresh[c.client+" of alice"]
		if a := p.post("introspect", c.client, c.secret, url.Values{"token": {old}}); c.secret != "" && !a.Active {
			t.Errorf("%s: the refresh token is not active", c.client)
		}
		first := p.refresh(c.client, c.secret, old)
		if first.status != http.StatusOK || first.Refresh == "" || first.Refresh == old {
			t.Errorf("%s: refreshing answers %d %s", c.client, first.status, first.Error)
			continue
		}
		if second := p.refresh(c.client, c.secret, first.Refresh); second.status != http.StatusOK {
			t.Errorf("%s: the successor answers %d %s", c.client, second.status, second.Error)
		}
		if c.client == "wiki" {
			if !p.opens(first.Access) {
				t.Error("the site does not take the fresh access token")
			}
			if a := p.post("introspect", "api", apiSecret, url.Values{"token": {first.Access}}); !a.Active {
				t.Error("the fresh access token is not active")
			}
		}
		// The generation before last: reuse is still seen, and ends the family.
		if a := p.refresh(c.client, c.secret, old); a.Error != "invalid_grant" {
			t.Errorf("%s: reuse answers %d %s", c.client, a.status, a.Error)
		}
	}
}

func checkProviderToken(t *testing.T, n *gateway.Node, w *world, h *held) {
	b := h.restore(t, "alice at sso", newBrowser(t, n))
	if page := b.Step(mail + "/"); page.Status != http.StatusOK {
		t.Fatalf("answered %d, and leads to %v:\n%s%s", page.Status, page.Next(), page.Path(), page.Text())
	}
	if got := w.app.Last(t).Header.Get("Authorization"); got != "Bearer "+h.signed("token at sso") {
		t.Error("the upstream did not get the token that the provider gave the old gateway")
	}
	if w.sso.Requests("/oauth/token") > 0 {
		t.Error("the provider was asked for another token")
	}
}

// checkOutbox: what the old gateway could not tell the provider and a client is
// told now.
func checkOutbox(t *testing.T, p program, w *world, h *held, logouts <-chan string) {
	select {
	case raw := <-logouts:
		claims := verify(t, keysOf(t, p), raw)
		if claims["iss"] != portal || claims["aud"] != "wiki" || claims["events"] == nil {
			t.Errorf("the client is told %v", claims)
		}
	case <-time.After(60 * time.Second):
		t.Error("the client is not told of bob's sign-out")
	}
	await(t, "the revocation at the provider", func() bool { return w.sso.Requests("/revoke") > 0 })
}

func checkSigningKeys(t *testing.T, n *gateway.Node, p program, h *held) {
	for _, name := range []string{"access token of alice", "ID token of alice"} {
		if claims := verify(t, keysOf(t, p), h.signed(name)); claims["iss"] != portal {
			t.Errorf("%s: the issuer is %v", name, claims["iss"])
		}
	}
	// An ID token is a hint however old it is.
	alice := h.restore(t, "alice", newBrowser(t, n))
	alice.StopAt("/goodbye")
	page := alice.Open(portal + "/logout?" + url.Values{
		"id_token_hint": {h.signed("ID token of alice")}, "post_logout_redirect_uri": {wikiGoodbye},
	}.Encode())
	if page.Next() == nil && len(page.Forms()) == 1 {
		page = alice.Submit(page, page.Forms()[0], nil)
	}
	if next := page.Next(); next == nil || next.String() != wikiGoodbye {
		t.Errorf("signing out leads to %v:\n%s%s", next, page.Path(), page.Text())
	}
	if isIn(alice, app) {
		t.Error("alice is still signed in")
	}
}

// receiveLogouts is the client wiki, told that somebody signed out.
func receiveLogouts(t *testing.T) <-chan string {
	t.Helper()
	told := make(chan string, 64)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		told <- r.PostFormValue("logout_token")
	}))
	_ = server.Listener.Close()
	server.Listener = listen(t, wikiAddress)
	server.Start()
	t.Cleanup(server.Close)
	return told
}

func keysOf(t *testing.T, p program) (keys jose.JSONWebKeySet) {
	t.Helper()
	_ = json.Unmarshal(p.get(portal+"/jwks.json"), &keys)
	return keys
}

// verify checks a token's signature, not its end, by the published keys.
func verify(t *testing.T, keys jose.JSONWebKeySet, raw string) (claims map[string]any) {
	t.Helper()
	token, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.ES256, jose.RS256, jose.EdDSA})
	if err == nil {
		err = token.Claims(keys, &claims)
	}
	if err != nil {
		t.Fatalf("the published keys do not verify a token: %v", err)
	}
	return claims
}
