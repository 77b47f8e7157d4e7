package flows_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/policy"
)

// deviceClients are oauthClients with another device and one that a policy keeps
// people from.
func deviceClients() []*client.Client {
	return append(
		oauthClients(),
		&client.Client{ID: "tv", Public: true, Scopes: []string{"openid"}, Grants: []string{client.GrantDevice}},
		&client.Client{ID: "alices", Public: true, Scopes: []string{"openid"}, Grants: []string{client.GrantDevice}, Policy: onlyAlice{}},
		&client.Client{
			ID: "box", Secrets: []client.Secret{client.NewSecret("box-secret-of-enough-length")}, Scopes: []string{"openid"}, Grants: []string{client.GrantDevice},
		},
	)
}

type onlyAlice struct{ policy.Decider }

func (onlyAlice) Allows(id *identity.Identity) bool { return id.User == "alice" }

// approve lets somebody answer for a device.
func (w *world) approve(started said, user, password, decision string) *browser {
	w.t.Helper()
	b := newBrowser(w.t)
	b.get(started.answer.text("verification_uri_complete")).signIn(user, password).want(http.StatusOK, started.answer.text("user_code"))
	return b.submit(url.Values{"decision": {decision}})
}

func pollForm(started said) url.Values {
	return url.Values{"grant_type": {client.GrantDevice}, "device_code": {started.answer.text("device_code")}, "client_id": {"cli"}}
}

// Sections 3.1 and 3.2: how a device starts, and what it is told.
func TestRFC8628_Start(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: deviceClients()})
	form := url.Values{"client_id": {"cli"}, "scope": {"openid"}}
	got := w.call("device_authorization", form)
	code := got.answer.text("user_code")
	if got.status != http.StatusOK || got.body["expires_in"] != 600.0 || got.body["interval"] != 5.0 || got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %s", got.status, got.text)
	}
	if at := w.portalURL() + "/device"; got.answer.text("verification_uri") != at || got.answer.text("verification_uri_complete") != at+"?user_code="+code {
		t.Errorf("%s", got.text)
	}
	if len(got.answer.text("device_code")) != 64 || strings.Trim(code, "BCDFGHJKLMNPQRSTVWXZ-") != "" || len(code) != 9 {
		t.Errorf("%s", got.text)
	}
	challenge := client.ChallengeS256(verifier)
	for name, c := range map[string]struct {
		change func(url.Values)
		status int
		code   string
	}{
		"nobody":                   {drop("client_id"), http.StatusUnauthorized, "invalid_client"},
		"an unknown client":        {set("client_id", "nobody"), http.StatusUnauthorized, "invalid_client"},
		"a name without a secret":  {set("client_id", "box"), http.StatusUnauthorized, "invalid_client"},
		"a client without devices": {set("client_id", "native"), http.StatusBadRequest, "unauthorized_client"},
		"a scope of others":        {set("scope", "admin"), http.StatusBadRequest, "invalid_scope"},
		"nothing of its own":       {func(v url.Values) { v.Set("client_id", "tv"); v.Set("scope", "offline_access") }, http.StatusBadRequest, "invalid_scope"},
		"a malformed scope":        {set("scope", "openid  profile"), http.StatusBadRequest, "invalid_scope"},
		"a scope not ASCII":        {set("scope", "opénid"), http.StatusBadRequest, "invalid_scope"},
		"the scope twice":          {set("scope", "openid", "openid"), http.StatusBadRequest, "invalid_request"},
		"the client twice":         {set("client_id", "cli", "cli"), http.StatusBadRequest, "invalid_request"},
		"a foreign resource":       {set("resource", "https://evil.test"), http.StatusBadRequest, "invalid_target"},
		"plain PKCE":               {func(v url.Values) { v.Set("code_challenge", verifier); v.Set("code_challenge_method", "plain") }, http.StatusBadRequest, "invalid_request"},
		"PKCE without method":      {set("code_challenge", challenge), http.StatusBadRequest, "invalid_request"},
		"a method alone":           {set("code_challenge_method", "S256"), http.StatusBadRequest, "invalid_request"},
		"an empty challenge":       {func(v url.Values) { v.Set("code_challenge", ""); v.Set("code_challenge_method", "S256") }, http.StatusBadRequest, "invalid_request"},
		"two challenges": {func(v url.Values) {
			v["code_challenge"] = []string{challenge, challenge}
			v.Set("code_challenge_method", "S256")
		}, http.StatusBadRequest, "invalid_request"},
	} {
		w.call("device_authorization", with(form, c.change)).refused(t, name, c.status, c.code)
	}
	var many []string
	for i := range 8 {
		many = append(many, w.siteURL("one")+"/"+strings.Repeat("&", 400)+string(rune('a'+i)))
	}
	if got := w.call("device_authorization", with(form, set("resource", many...))); got.status != http.StatusOK {
		t.Errorf("as much as can be asked for: %d %s", got.status, got.text)
	}
	w.call("device_authorization?client_id=cli", url.Values{}).refused(t, "in the URL", http.StatusBadRequest, "invalid_request")
	if got := w.call("device_authorization", url.Values{}, basic("box")); got.status != http.StatusOK {
		t.Errorf("with a secret: %d %s", got.status, got.text)
	}
	// What nobody judges by may be as long as it likes.
	if got := w.call("device_authorization", form, "User-Agent: "+strings.Repeat("ü<", 20_000)); got.status != http.StatusOK {
		t.Errorf("a long User-Agent: %d %s", got.status, got.text)
	}
}

// Sections 3.4 and 3.5: a device code is its client's, its verifier's and used
// once; what it is not tells nothing, and costs the device nothing.
func TestRFC8628_Polls(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: deviceClients()})
	start := func(change func(url.Values)) said {
		return w.call("device_authorization", with(url.Values{"client_id": {"cli"}, "scope": {"openid offline_access"}}, change))
	}
	bound := start(func(v url.Values) {
		v.Set("code_challenge", client.ChallengeS256(verifier))
		v.Set("code_challenge_method", "S256")
	})
	plain := start(nil)
	code := plain.answer.text("device_code")
	for _, approved := range []bool{false, true} {
		if approved {
			w.approve(bound, "alice", "wonderland", "approve").want(http.StatusOK, "")
			w.approve(plain, "alice", "wonderland", "approve").want(http.StatusOK, "")
		}
		for name, c := range map[string]struct {
			of     said
			change func(url.Values)
		}{
			"another client":            {plain, set("client_id", "tv")},
			"an unknown code":           {plain, set("device_code", strings.Repeat("A", 64))},
			"the user code":             {plain, set("device_code", plain.answer.text("user_code"))},
			"a code cut short":          {plain, set("device_code", code[:63])},
			"a code extended":           {plain, set("device_code", code+"AAAA")},
			"a code and a line feed":    {plain, set("device_code", code+"\n")},
			"a code, not ASCII":         {plain, set("device_code", "é\x00\xff"+code)},
			"a code without end":        {plain, set("device_code", strings.Repeat("A", 60_000))},
			"a verifier, no challenge":  {plain, set("code_verifier", verifier)},
			"an empty verifier":         {plain, set("code_verifier", "")},
			"a challenge, no verifier":  {bound, nil},
			"another verifier":          {bound, set("code_verifier", strings.Repeat("x", 43))},
			"the challenge as verifier": {bound, set("code_verifier", client.ChallengeS256(verifier))},
		} {
			w.call("token", with(pollForm(c.of), c.change)).refused(t, name, http.StatusBadRequest, "invalid_grant")
		}
		w.call("token", with(pollForm(plain), func(v url.Values) { v.Set("code", code); v.Del("device_code") })).
			refused(t, "an authorization code's name", http.StatusBadRequest, "invalid_request")
		w.call("token", with(pollForm(plain), set("device_code", code, code))).refused(t, "twice", http.StatusBadRequest, "invalid_request")
	}
	for name, form := range map[string]url.Values{"bound": with(pollForm(bound), set("code_verifier", verifier)), "plain": pollForm(plain)} {
		if got := w.call("token", form); got.status != http.StatusOK || got.answer.text("scope") != "openid offline_access" {
			t.Errorf("%s: %d %s", name, got.status, got.text)
		}
		w.clock.advance(6 * time.Second)
		w.call("token", form).refused(t, name+", delivered already", http.StatusBadRequest, "invalid_grant")
	}
	// A device code is no authorization code, and neither the other way round.
	other := start(nil)
	w.approve(other, "alice", "wonderland", "approve")
	w.call("token", url.Values{"grant_type": {"authorization_code"}, "code": {other.answer.text("device_code")}, "client_id": {"native"}, "redirect_uri": {"device"}}).
		refused(t, "a device code as a code", http.StatusBadRequest, "invalid_grant")
	w.call("token", with(pollForm(other), set("device_code", w.code(w.signedInBrowser(), authorizeParams("web", "https://web.test/cb", "openid"))))).
		refused(t, "a code as a device code", http.StatusBadRequest, "invalid_grant")
}

// Section 3.3 and 5.4: the person is asked, with the code to compare, and the
// client's policy counts as everywhere.
func TestRFC8628_Approval(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: deviceClients()})
	started := w.call("device_authorization", url.Values{"client_id": {"alices"}, "scope": {"openid"}})
	poll := with(pollForm(started), set("client_id", "alices"))
	// The complete address approves nothing by itself, nor tells strangers.
	stranger := newBrowser(t)
	stranger.get(started.answer.text("verification_uri_complete")).want(http.StatusOK, "password")
	if strings.Contains(stranger.body, "alices") {
		t.Error("a stranger is told whose code it is")
	}
	w.call("token", poll).refused(t, "looked at", http.StatusBadRequest, "authorization_pending")
	b := w.approve(started, "bob", "builder", "approve")
	if b.last.StatusCode != http.StatusForbidden {
		t.Errorf("bob may not: %d %s", b.last.StatusCode, b.body)
	}
	w.call("token", poll).refused(t, "approved by who may not", http.StatusBadRequest, "access_denied")

	again := w.call("device_authorization", url.Values{"client_id": {"alices"}, "scope": {"openid"}})
	w.approve(again, "alice", "wonderland", "approve").want(http.StatusOK, "")
	got := w.call("token", with(pollForm(again), set("client_id", "alices")))
	if got.status != http.StatusOK || got.body["refresh_token"] != nil {
		t.Errorf("alice may, and asked for no offline access: %d %s", got.status, got.text)
	}
	// Nothing but a decision that was asked for decides.
	third := w.call("device_authorization", url.Values{"client_id": {"alices"}, "scope": {"openid"}})
	b = newBrowser(t)
	b.get(third.answer.text("verification_uri_complete")).signIn("alice", "wonderland").want(http.StatusOK, third.answer.text("user_code"))
	for _, change := range []url.Values{{"request": {""}}, {"request": {strings.Repeat("A", 200)}}, {"form": {""}}, {"form": {"AAAA"}}} {
		page := *b
		change.Set("decision", "approve")
		page.submit(change).want(http.StatusForbidden, "Nothing was approved")
	}
	if got := foreignPost(t, b, w.portalURL()+"/device/decide", url.Values{"decision": {"approve"}}); got.last.StatusCode != http.StatusForbidden {
		t.Errorf("from another site: %d", got.last.StatusCode)
	}
	b.get(w.portalURL() + "/device/decide?decision=approve")
	if b.last.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("by GET: %d", b.last.StatusCode)
	}
	w.call("token", with(pollForm(third), set("client_id", "alices"))).refused(t, "after all that", http.StatusBadRequest, "authorization_pending")
}
