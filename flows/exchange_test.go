package flows_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/vault"
)

const batchSecret = "a secret of the batch service"

// exchangers may have people's tokens of GitHub, but for "nosy".
func exchangers() []*client.Client {
	secret := func() []client.Secret { return []client.Secret{client.NewSecret(batchSecret)} }
	code := []string{client.GrantCode, client.GrantRefresh, client.GrantClientCredentials}
	return []*client.Client{
		{ID: "batch", Secrets: secret(), FirstParty: true, Grants: code, RedirectURIs: []string{"https://batch.test/cb"}, MayExchange: []string{"github"}},
		{ID: "nosy", Secrets: secret(), FirstParty: true, Grants: code, RedirectURIs: []string{"https://nosy.test/cb"}},
		{ID: "api", Secrets: secret(), ResourceServer: []string{"https://api.test"}, MayExchange: []string{"github"}},
		{ID: "web", Secrets: secret(), FirstParty: true, Grants: code, RedirectURIs: []string{"https://web.test/cb"}, Resources: []string{"https://api.test"}},
		{ID: "cli", Public: true, RedirectURIs: []string{"http://127.0.0.1/cb"}, MayExchange: []string{"github"}},
	}
}

func exchange(token string) url.Values {
	return url.Values{
		"grant_type": {client.GrantTokenExchange}, "subject_token": {token}, "subject_token_type": {client.TypeAccessToken},
	}
}

// accessTokenOf is a person's access token, for a client.
func (w hubbed) accessTokenOf(b *browser, a app, redirectURI, scope string, more url.Values, proofs ...string) string {
	w.t.Helper()
	params := authorizeParams(a.id, redirectURI, scope)
	form := redeem("")
	for name, values := range more {
		params[name], form[name] = values, values
	}
	form.Set("code", w.code(b.held(), params))
	form.Set("redirect_uri", redirectURI)
	got := a.send(form, proofs...)
	if got.status != http.StatusOK {
		w.t.Fatalf("a token for %s: %d %v", a.id, got.status, got.body)
	}
	return got.text("access_token")
}

func TestRFC8693_Exchange(t *testing.T) {
	w := newHubbed(t, true, exchangers()...)
	batch, api := app{t, w.world, "batch", batchSecret}, app{t, w.world, "api", batchSecret}
	b := newBrowser(t)
	w.opens(b, 1)
	own := w.accessTokenOf(b, batch, "https://batch.test/cb", "openid", nil)
	got := batch.send(exchange(own))
	if got.status != http.StatusOK || got.text("access_token") != "gho_1" || got.text("token_type") != "Bearer" ||
		got.text("issued_token_type") != client.TypeAccessToken || got.text("scope") != "repo" {
		t.Fatalf("exchanged is %d %v", got.status, got.body)
	}
	if got.body["refresh_token"] != nil || got.body["expires_in"] != nil {
		t.Errorf("exchanged is %v, want no refresh token, and no expiry where there is none", got.body)
	}
	// The token of another client whose audience is the caller's own.
	web := app{t, w.world, "web", batchSecret}
	theirs := w.accessTokenOf(b, web, "https://web.test/cb", "openid", url.Values{"resource": {"https://api.test"}})
	if got := api.send(exchange(theirs)); got.status != http.StatusOK || got.text("access_token") != "gho_1" {
		t.Errorf("the resource server: %d %v", got.status, got.body)
	}
	for _, by := range []string{"github", w.hub.url} {
		form := exchange(own)
		form.Set("audience", by)
		if got := batch.send(form); got.status != http.StatusOK {
			t.Errorf("audience %q: %d %v", by, got.status, got.body)
		}
	}
	program := batch.send(url.Values{"grant_type": {"client_credentials"}}).text("access_token")
	for name, tt := range map[string]struct {
		by     app
		change func(url.Values)
		want   string
	}{
		"another client's token":   {batch, func(f url.Values) { f.Set("subject_token", theirs) }, "invalid_request"},
		"a client that may not":    {app{t, w.world, "nosy", batchSecret}, nil, "unauthorized_client"},
		"no token":                 {batch, func(f url.Values) { f.Del("subject_token") }, "invalid_request"},
		"nonsense":                 {batch, func(f url.Values) { f.Set("subject_token", "x.y.z") }, "invalid_request"},
		"a program's own":          {batch, func(f url.Values) { f.Set("subject_token", program) }, "invalid_request"},
		"the provider's own":       {batch, func(f url.Values) { f.Set("subject_token", "gho_1") }, "invalid_request"},
		"no type":                  {batch, func(f url.Values) { f.Del("subject_token_type") }, "invalid_request"},
		"another type":             {batch, func(f url.Values) { f.Set("subject_token_type", "urn:ietf:params:oauth:token-type:id_token") }, "invalid_request"},
		"a refresh token wanted":   {batch, func(f url.Values) { f.Set("requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token") }, "invalid_request"},
		"an actor":                 {batch, func(f url.Values) { f.Set("actor_token", own); f.Set("actor_token_type", client.TypeAccessToken) }, "invalid_request"},
		"another provider":         {batch, func(f url.Values) { f.Set("audience", "gitlab") }, "invalid_target"},
		"a resource":               {batch, func(f url.Values) { f.Set("resource", "https://api.test") }, "invalid_target"},
		"more scope":               {batch, func(f url.Values) { f.Set("scope", "repo admin:org") }, "invalid_scope"},
		"a scope that is none":     {batch, func(f url.Values) { f.Set("scope", `"`) }, "invalid_scope"},
		"the subject token, twice": {batch, func(f url.Values) { f.Add("subject_token", own) }, "invalid_request"},
	} {
		form := exchange(own)
		if tt.change != nil {
			tt.change(form)
		}
		if got := tt.by.send(form); got.status != http.StatusBadRequest || got.text("error") != tt.want {
			t.Errorf("%s: %d %v, want %s", name, got.status, got.body, tt.want)
		}
	}
	// RFC 8707, section 2.
	for name, resource := range map[string]string{"relative": "/api", "a fragment": "https://api.test#x", "of any length": "https://api.test/" + strings.Repeat("x", 512)} {
		form := exchange(own)
		form.Set("resource", resource)
		if got := batch.send(form); got.text("error") != "invalid_target" || !strings.Contains(got.text("error_description"), "absolute URI") {
			t.Errorf("a resource, %s: %d %v", name, got.status, got.body)
		}
	}
	// A token of a session that has ended.
	if err := w.gateway.EndSubject(t.Context(), w.subject()); err != nil {
		t.Fatal(err)
	}
	if got := batch.send(exchange(own)); got.text("error") != "invalid_request" {
		t.Errorf("after a revocation: %d %v", got.status, got.body)
	}
}

// A person who is suspended, and one whose token the provider refused, have none.
func TestRFC8693_NoToken(t *testing.T) {
	w := newHubbed(t, true, exchangers()...)
	batch := app{t, w.world, "batch", batchSecret}
	b := newBrowser(t)
	w.opens(b, 1)
	own := w.accessTokenOf(b, batch, "https://batch.test/cb", "openid", nil)
	subject := w.subject()
	row, err := w.store.ProviderToken(t.Context(), subject, w.hub.url)
	if err != nil {
		t.Fatal(err)
	}
	row.NeedsReauth = true
	if _, err := w.store.UpdateProviderToken(t.Context(), row); err != nil {
		t.Fatal(err)
	}
	w.gateway.Vault.Forget(subject)
	if got := batch.send(exchange(own)); got.status != http.StatusBadRequest || got.text("error") != "interaction_required" {
		t.Errorf("a refused token: %d %v", got.status, got.body)
	}
	if _, err := w.gateway.RemoveProviderTokens(t.Context(), w.gateway.Vault, vault.Query{Subject: subject}); err != nil {
		t.Fatal(err)
	}
	if got := batch.send(exchange(own)); got.status != http.StatusBadRequest || got.text("error") != "interaction_required" {
		t.Errorf("no token: %d %v", got.status, got.body)
	}
	if err := w.store.Suspend(t.Context(), subject, true); err != nil {
		t.Fatal(err)
	}
	w.clock.advance(2 * time.Minute) // by then the store is asked again
	eventually(t, "the suspension is known", func() bool {
		got := batch.send(exchange(own))
		return got.status == http.StatusBadRequest && got.text("error") == "invalid_request"
	})
}

// A public client has what the person allowed by name. It has not when it asks for no
// scope, and the page says what it is about.
func TestRFC8693_PublicClientsNeedTheScope(t *testing.T) {
	w := newHubbed(t, true, exchangers()...)
	cli := app{t: t, w: w.world, id: "cli"}
	b := newBrowser(t)
	w.opens(b, 1)
	allow := func(params url.Values) {
		b.get(w.portalURL() + "/authorize?" + params.Encode())
		held := b.held()
		held.last, held.body = b.last, b.body
		held.submit(url.Values{"decision": {"approve"}})
	}
	params := authorizeParams("cli", "http://127.0.0.1/cb", "")
	params.Del("scope")
	allow(params)
	without := w.accessTokenOf(b, cli, "http://127.0.0.1/cb", "openid", nil)
	if got := cli.send(exchange(without)); got.status != http.StatusBadRequest || got.text("error") != "invalid_scope" {
		t.Errorf("without the scope: %d %v", got.status, got.body)
	}
	params = authorizeParams("cli", "http://127.0.0.1/cb", "openid provider:github")
	b.get(w.portalURL()+"/authorize?"+params.Encode()).want(http.StatusOK, "Use GitHub in your name")
	allow(params)
	with := w.accessTokenOf(b, cli, "http://127.0.0.1/cb", "openid provider:github", nil)
	if got := cli.send(exchange(with)); got.status != http.StatusOK || got.text("access_token") != "gho_1" {
		t.Errorf("with the scope: %d %v", got.status, got.body)
	}
	// Withdrawn on the person's own page, it is gone at once.
	b.get(w.portalURL()+"/").want(http.StatusOK, "Use GitHub in your name")
	b.submit(url.Values{"client": {"cli"}})
	if got := cli.send(exchange(with)); got.status != http.StatusBadRequest || got.text("error") != "invalid_request" {
		t.Errorf("after the withdrawal: %d %v", got.status, got.body)
	}
}

// A token that is bound to a key is exchanged by who has the key (RFC 9449, section 7).
func TestRFC8693_BoundTokens(t *testing.T) {
	w := newHubbed(t, true, exchangers()...)
	batch := app{t, w.world, "batch", batchSecret}
	b := newBrowser(t)
	w.opens(b, 1)
	holder, thief := newHolder(t, w.clock.now), newHolder(t, w.clock.now)
	endpoint := w.portalURL() + "/token"
	own := w.accessTokenOf(b, batch, "https://batch.test/cb", "openid", nil, holder.proof(http.MethodPost, endpoint, "", nil))
	proof := holder.proof(http.MethodPost, endpoint, "", nil)
	if got := batch.send(exchange(own), proof); got.status != http.StatusOK || got.text("token_type") != "Bearer" {
		t.Errorf("with the proof: %d %v", got.status, got.body)
	}
	for name, proofs := range map[string][]string{
		"none": nil, "another's": {thief.proof(http.MethodPost, endpoint, "", nil)}, "used": {proof},
	} {
		if got := batch.send(exchange(own), proofs...); got.status != http.StatusBadRequest || got.text("error") != "invalid_dpop_proof" {
			t.Errorf("%s: %d %v", name, got.status, got.body)
		}
	}
}
