package flows_test

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/policy"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// https://github.com/Kareadita/Kavita/issues/4373 (and mcp-remote, Argo CD): a client
// asks for more than it may have. It is given what it may, and told what that is (RFC
// 6749, section 3.3; OpenID Connect Core, section 3.1.2.1: unknown scopes are ignored).
func TestScope_BeyondTheClientsIsLeftOut(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	const asked, given = "openid profile email offline_access address made:up", "openid profile email offline_access"
	b := w.signedInBrowser()
	got := w.tokens(b, set("scope", asked))
	_, access := claimsOf(t, got.answer.text("access_token"))
	if got.body["scope"] != given || access["scope"] != given {
		t.Errorf("the answer says %v, the token %v", got.body["scope"], access["scope"])
	}
	if log := w.logs.String(); !strings.Contains(log, "client_id=web") || !strings.Contains(log, `left_out="address made:up"`) {
		t.Errorf("the log does not say what was left out:\n%s", log)
	}
	// Pushed.
	form := authorizeParams("web", "https://web.test/cb", asked)
	pushed := w.call("par", form, basic("web"))
	if pushed.status != http.StatusCreated {
		t.Fatalf("pushed: %d %s", pushed.status, pushed.text)
	}
	answer := w.toClient(b, url.Values{"client_id": {"web"}, "request_uri": {pushed.answer.text("request_uri")}, "redirect_uri": {"https://web.test/cb"}})
	if got := w.call("token", redeem(answer.Get("code")), basic("web")); got.body["scope"] != given {
		t.Errorf("pushed: %d %s", got.status, got.text)
	}
	// A device.
	cli := app{t, w, "cli", ""}
	device := cli.post("device_authorization", url.Values{"scope": {"openid address"}})
	if device.status != http.StatusOK {
		t.Errorf("a device: %d %v", device.status, device.body)
	}
	// Nothing left, and what is malformed.
	for _, scope := range []string{"address", "address made:up", `openid "x`} {
		if got := w.toClient(b, authorizeParams("web", "https://web.test/cb", scope)); got.Get("error") != "invalid_scope" {
			t.Errorf("%q: %v", scope, got)
		}
		if got := cli.post("device_authorization", url.Values{"scope": {scope}}); got.text("error") != "invalid_scope" {
			t.Errorf("a device, %q: %d %v", scope, got.status, got.body)
		}
	}
	// Refreshing (section 6) and a client's own are strict.
	for _, form := range []url.Values{
		{"grant_type": {"refresh_token"}, "refresh_token": {got.answer.text("refresh_token")}, "scope": {"openid address"}},
		{"grant_type": {"client_credentials"}, "scope": {"address"}},
	} {
		if got := w.call("token", form, basic("web")); got.body["error"] != "invalid_scope" {
			t.Errorf("%s: %d %s", form.Get("grant_type"), got.status, got.text)
		}
	}
}

// A client that may not ask for openid makes no OpenID Connect request, and is told.
func TestScope_OpenIDIsNotLeftOut(t *testing.T) {
	clients := oauthClients()
	clients[0].Scopes = []string{"profile"}
	w := newWorld(t, worldOptions{portal: true, clients: clients})
	if got := w.toClient(w.signedInBrowser(), authorizeParams("web", "https://web.test/cb", "openid profile")); got.Get("error") != "invalid_scope" {
		t.Errorf("%v", got)
	}
}

// A code stands for what the client may have when it is redeemed: a scope, a resource
// and a person that were withdrawn since are judged as on every refresh.
func TestCode_IsHeldToTheConfigurationOfItsRedemption(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*client.Client)
		scope  string // of the token
		error  string
	}{
		"a scope":          {func(c *client.Client) { c.Scopes = []string{"openid"} }, "openid", ""},
		"every scope":      {func(c *client.Client) { c.Scopes = []string{"groups"} }, "", "invalid_scope"},
		"offline access":   {func(c *client.Client) { c.RefreshTokens = client.RefreshSession }, "openid profile", ""},
		"its resource":     {func(c *client.Client) { c.Resources = []string{"https://another.test"} }, "", "invalid_target"},
		"the whole person": {func(c *client.Client) { c.Policy = new(policy.Policy) }, "", "invalid_grant"},
	} {
		t.Run(name, func(t *testing.T) {
			clients := oauthClients()
			clients[0].RefreshTokens = client.RefreshOffline
			w := newWorld(t, worldOptions{portal: true, clients: clients})
			params := authorizeParams("web", "https://web.test/cb", "openid profile offline_access")
			params.Set("resource", w.siteURL("one"))
			code := w.code(w.signedInBrowser(), params)
			started := w.call("device_authorization", url.Values{"client_id": {"cli"}, "scope": {"openid profile offline_access"}, "resource": {w.siteURL("one")}})
			w.approve(started, "alice", "wonderland", "approve").want(http.StatusOK, "")
			for _, of := range clients {
				c.change(of)
			}
			for how, got := range map[string]said{
				"code":   w.call("token", redeem(code), basic("web")),
				"device": w.call("token", url.Values{"grant_type": {client.GrantDevice}, "device_code": {started.answer.text("device_code")}, "client_id": {"cli"}}),
			} {
				if c.error != "" && got.body["error"] != c.error || c.error == "" && got.body["scope"] != c.scope {
					t.Errorf("%s: %d %s", how, got.status, got.text)
				}
				if c.error == "" && slices.Contains(strings.Fields(c.scope), "offline_access") != (got.body["refresh_token"] != nil) && name != "offline access" {
					t.Errorf("%s: refresh token %v", how, got.body["refresh_token"])
				}
			}
		})
	}
}

// An unknown client is called that, whatever redirect URI it names; a site's name with
// a foreign address is told about the address.
func TestAuthorize_TellsAnUnknownClient(t *testing.T) {
	clients := oauthClients()
	clients[0].Title = "The Wiki"
	w := newWorld(t, worldOptions{portal: true, clients: clients})
	for id, want := range map[string]string{
		"nobody": "No client of that client_id", "evil.test": "No client of that client_id", "sites.test": "No client of that client_id",
		"web": "(redirect_uri)", "one.sites.test": "(redirect_uri)",
	} {
		b := newBrowser(t).held().get(w.portalURL() + "/authorize?" + authorizeParams(id, "https://evil.test/cb", "openid").Encode())
		if b.last.StatusCode != http.StatusBadRequest || !strings.Contains(b.body, want) {
			t.Errorf("%s: %d, says nothing of %q:\n%s", id, b.last.StatusCode, want, b.body)
		}
	}
	// People are shown the title, not the id.
	b := newBrowser(t).get(w.portalURL() + "/authorize?" + authorizeParams("web", "https://web.test/cb", "openid").Encode())
	if !strings.Contains(b.body, "The Wiki") || strings.Contains(b.body, ">web<") {
		t.Errorf("the sign-in page does not say The Wiki:\n%s", b.body)
	}
}

// RFC 8252, section 8.6: another app of the person's device may have asked, by a scheme
// that any app can claim or at a loopback address. A client is first-party by its
// redirect URI, not by its name.
func TestConsent_FirstPartyAppsAreNotAssured(t *testing.T) {
	clients := append(oauthClients(), &client.Client{
		ID: "editor", Public: true, FirstParty: true, Scopes: []string{"openid"}, NativeSchemes: []string{"cursor"},
		RedirectURIs: []string{"https://editor.test/cb", "cursor://editor.test/cb", "com.example.editor:/cb", "http://localhost/cb", "http://127.0.0.1/cb"},
	})
	w := newWorld(t, worldOptions{portal: true, clients: clients})
	b := w.signedInBrowser()
	for uri, asked := range map[string]bool{
		"https://editor.test/cb": false, "cursor://editor.test/cb": true, "com.example.editor:/cb": true, "http://localhost:4711/cb": true, "http://127.0.0.1:4711/cb": true,
	} {
		if err := w.store.DeleteConsent(t.Context(), w.portalSession().Subject, "editor"); err != nil && !errors.Is(err, tokenstore.ErrNotFound) {
			t.Fatal(err)
		}
		b.get(w.portalURL() + "/authorize?" + authorizeParams("editor", uri, "openid").Encode())
		if isAsked := strings.Contains(b.body, `/consent"`); isAsked != asked {
			t.Errorf("%s: asked %t, %d %s", uri, isAsked, b.last.StatusCode, b.last.Header.Get("Location"))
			continue
		}
		if silent := w.toClient(b, with(authorizeParams("editor", uri, "openid"), set("prompt", "none"))); asked && silent.Get("error") != "consent_required" {
			t.Errorf("%s, silently: %v", uri, silent)
		}
		if asked { // and then no more
			w.code(b, authorizeParams("editor", uri, "openid"))
			b.get(w.portalURL() + "/authorize?" + authorizeParams("editor", uri, "openid").Encode())
			if to := b.last.Header.Get("Location"); !strings.Contains(to, "code=") {
				t.Errorf("%s, again: %d %s", uri, b.last.StatusCode, to)
			}
		}
	}
}
