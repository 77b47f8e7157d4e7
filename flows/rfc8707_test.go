package flows_test

import (
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/client"
)

func audienceOf(t *testing.T, got said) []string {
	t.Helper()
	if got.status != http.StatusOK {
		t.Fatalf("%d %s", got.status, got.text)
	}
	_, claims := claimsOf(t, got.answer.text("access_token"))
	var audience []string
	switch aud := claims["aud"].(type) {
	case string:
		audience = []string{aud}
	case []any:
		for _, a := range aud {
			audience = append(audience, a.(string))
		}
	}
	return audience
}

// Sections 2.1 and 2.2: an access token is for exactly what was asked for, of
// what was granted; the grant remembers all of it.
func TestRFC8707_Resources(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	b := w.signedInBrowser()
	one, two, three := w.siteURL("one"), w.siteURL("two"), w.siteURL("three")
	params := with(authorizeParams("web", "https://web.test/cb", "openid offline_access"), set("resource", one, two, one))
	code := w.code(b, params)
	for name, resource := range map[string]string{"not granted": three, "of others": "https://evil.test", "relative": "x", "empty": "", "a fragment": one + "#x"} {
		w.call("token", with(redeem(code), set("resource", resource)), basic("web")).refused(t, name, http.StatusBadRequest, "invalid_target")
	}
	got := w.call("token", with(redeem(code), set("resource", two)), basic("web"))
	if aud := audienceOf(t, got); !slices.Equal(aud, []string{two}) {
		t.Errorf("one of two: %v", aud)
	}
	refresh := func(change func(url.Values)) said {
		next := w.call("token", with(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {got.answer.text("refresh_token")}}, change), basic("web"))
		if next.status == http.StatusOK {
			got = next
		}
		return next
	}
	for name, resource := range map[string]string{"not granted": three, "the issuer": w.portalURL(), "of others": "https://evil.test", "relative": "/x"} {
		refresh(set("resource", resource)).refused(t, name, http.StatusBadRequest, "invalid_target")
	}
	if aud := audienceOf(t, refresh(nil)); !slices.Equal(aud, []string{one, two}) {
		t.Errorf("all of them: %v", aud)
	}
	if aud := audienceOf(t, refresh(set("resource", one))); !slices.Equal(aud, []string{one}) {
		t.Errorf("the other: %v", aud)
	}
	if aud := audienceOf(t, refresh(nil)); !slices.Equal(aud, []string{one, two}) {
		t.Errorf("all of them again: %v", aud)
	}
	if aud := audienceOf(t, w.tokens(b, nil)); !slices.Equal(aud, []string{w.portalURL()}) {
		t.Errorf("none asked for: %v", aud)
	}
	own := w.call("token", url.Values{"grant_type": {"client_credentials"}, "resource": {one, two}}, basic("web"))
	if aud := audienceOf(t, own); !slices.Equal(aud, []string{one, two}) {
		t.Errorf("a client's own: %v", aud)
	}
	w.call("token", url.Values{"grant_type": {"client_credentials"}, "resource": {"https://evil.test"}}, basic("web")).
		refused(t, "a client's own, of others", http.StatusBadRequest, "invalid_target")
	w.call("device_authorization", url.Values{"client_id": {"cli"}, "resource": {"https://evil.test"}}).
		refused(t, "a device's, of others", http.StatusBadRequest, "invalid_target")
}

// A client with a list gets what is on it, to the byte.
func TestRFC8707_ListedResources(t *testing.T) {
	clients := oauthClients()
	clients[0].Resources, clients[0].Audience = []string{"https://api.test/v1", "urn:jobs"}, "urn:web"
	clients = append(clients, &client.Client{
		ID: "api", Secrets: []client.Secret{client.NewSecret("api-secret-of-enough-length")}, ResourceServer: []string{"urn:jobs"},
	})
	w := newWorld(t, worldOptions{portal: true, clients: clients})
	ask := func(resource ...string) said {
		return w.call("token", url.Values{"grant_type": {"client_credentials"}, "resource": resource}, basic("web"))
	}
	for _, resource := range []string{"https://api.test/v1", "urn:jobs", "urn:web", w.portalURL()} {
		if aud := audienceOf(t, ask(resource)); !slices.Equal(aud, []string{resource}) {
			t.Errorf("%s: %v", resource, aud)
		}
	}
	if aud := audienceOf(t, w.call("token", url.Values{"grant_type": {"client_credentials"}}, basic("web"))); !slices.Equal(aud, []string{"urn:web"}) {
		t.Errorf("its own audience: %v", aud)
	}
	for _, resource := range []string{
		"https://api.test/v1/", "https://api.test/v2", "https://api.test", "https://API.test/v1", "https://api.test:443/v1", "https://x@api.test/v1",
		"https://api.test/v1?x", "https://api.test/x/../v1", "URN:jobs", w.siteURL("one"), w.portalURL() + "/",
	} {
		ask(resource).refused(t, resource, http.StatusBadRequest, "invalid_target")
	}
	// The resource server that the token is for may look at it (RFC 7662).
	raw := ask("urn:jobs").answer.text("access_token")
	if got := w.call("introspect", url.Values{"token": {raw}}, basic("api")); got.body["active"] != true {
		t.Errorf("the resource server: %s", got.text)
	}
}

// RFC 9728, sections 3.1 and 3.3: whoever asks what a site is, and then for a
// token of that resource, gets one that opens it.
func TestRFC9728_ATokenForTheResourceOpensIt(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	b := w.signedInBrowser()
	const path = "/.well-known/oauth-protected-resource"
	for _, suffix := range []string{"", "/", "/api", "/api/v1", "//", "/%2e", "x", "?x=1"} {
		described := w.send(http.MethodGet, w.siteURL("one")+path+suffix, "", "Accept: application/json")
		if described.status != http.StatusOK {
			if suffix == "" || described.status != http.StatusNotFound && described.status != http.StatusUnauthorized {
				t.Errorf("%q: %d %s", suffix, described.status, described.text)
			}
			continue
		}
		id := described.answer.text("resource")
		got := w.tokens(b, set("resource", id))
		if open := w.send(http.MethodGet, id, "", "Authorization: Bearer "+got.answer.text("access_token")); open.status != http.StatusOK {
			t.Errorf("%q: a token for %s is answered with %d", suffix, id, open.status)
		}
	}
}
