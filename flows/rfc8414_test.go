package flows_test

import (
	"crypto"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
)

// RFC 8414, sections 2 and 3, and OpenID Connect Discovery, sections 3 and 4:
// both documents are one, name us as our tokens do, and promise nothing that is
// not there.
func TestRFC8414_Metadata(t *testing.T) {
	portal := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	alone := newWorld(t, worldOptions{clients: oauthClients()})
	site := alone.siteURL("one")
	for issuer, at := range map[string][]string{
		portal.portalURL(): {portal.portalURL() + "/.well-known/openid-configuration", portal.portalURL() + "/.well-known/oauth-authorization-server"},
		site + "/.gatehouse": { // with a path, which RFC 8414 inserts before and OpenID Connect appends to
			site + "/.gatehouse/.well-known/openid-configuration", site + "/.well-known/oauth-authorization-server/.gatehouse",
			site + "/.well-known/openid-configuration/.gatehouse",
		},
	} {
		var first said
		for _, address := range at {
			got := portal.send(http.MethodGet, address, "")
			if got.status != http.StatusOK || got.body["issuer"] != issuer || !strings.HasPrefix(got.header.Get("Content-Type"), "application/json") {
				t.Fatalf("%s: %d %s", address, got.status, got.text)
			}
			if first.text == "" {
				first = got
			} else if got.text != first.text {
				t.Errorf("%s differs", address)
			}
			again := portal.send(http.MethodGet, address, "", "If-None-Match: "+got.header.Get("ETag"))
			if again.status != http.StatusNotModified || again.text != "" {
				t.Errorf("%s, kept: %d", address, again.status)
			}
			if got := portal.send(http.MethodPost, address, ""); got.status != http.StatusMethodNotAllowed {
				t.Errorf("%s by POST: %d", address, got.status)
			}
		}
		for name, want := range map[string][]any{
			"response_types_supported": {"code"}, "response_modes_supported": {"query"}, "code_challenge_methods_supported": {"S256"},
			"subject_types_supported":                       {"public"},
			"token_endpoint_auth_methods_supported":         {"none", "client_secret_basic", "client_secret_post", "private_key_jwt"},
			"introspection_endpoint_auth_methods_supported": {"client_secret_basic", "client_secret_post", "private_key_jwt"},
			"grant_types_supported":                         {"authorization_code", "refresh_token", "client_credentials", "urn:ietf:params:oauth:grant-type:device_code"},
			"prompt_values_supported":                       {"none", "login", "consent", "select_account"},
		} {
			if diff := cmp.Diff(any(want), first.body[name]); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
		for name, want := range map[string]bool{
			"authorization_response_iss_parameter_supported": true, "backchannel_logout_supported": true, "backchannel_logout_session_supported": true,
			"request_parameter_supported": false, "request_uri_parameter_supported": false, "claims_parameter_supported": false,
		} {
			if first.body[name] != want {
				t.Errorf("%s is %v", name, first.body[name])
			}
		}
		if diff := cmp.Diff(any([]any{"ES256", "EdDSA"}), first.body["id_token_signing_alg_values_supported"]); diff != "" {
			t.Errorf("not the algorithms of the keys: %s", diff)
		}
		for _, list := range []string{
			"dpop_signing_alg_values_supported", "token_endpoint_auth_signing_alg_values_supported", "id_token_signing_alg_values_supported",
			"revocation_endpoint_auth_signing_alg_values_supported", "introspection_endpoint_auth_signing_alg_values_supported",
		} {
			algorithms, _ := first.body[list].([]any)
			for _, alg := range algorithms {
				if name, _ := alg.(string); name == "none" || strings.HasPrefix(name, "HS") {
					t.Errorf("%s holds %s", list, name)
				}
			}
			if len(algorithms) == 0 {
				t.Errorf("%s is empty", list)
			}
		}
		if first.body["registration_endpoint"] != nil { // RFC 7591
			t.Error("clients may register themselves")
		}
		for name, value := range first.body {
			address, ok := value.(string)
			if !ok || !strings.HasSuffix(name, "_endpoint") && name != "jwks_uri" {
				continue
			}
			if !strings.HasPrefix(address, issuer+"/") {
				t.Errorf("%s is %s", name, address)
			}
			if got := portal.send(http.MethodGet, address, ""); got.status == http.StatusNotFound {
				t.Errorf("%s: nothing is at %s", name, address)
			}
		}
	}
	if got := portal.send(http.MethodPost, portal.portalURL()+"/register", "{}", "Content-Type: application/json"); got.status != http.StatusNotFound {
		t.Errorf("registration: %d", got.status)
	}
}

// Section 2: the issuer is the same to the byte wherever it is named.
func TestRFC8414_OneIssuer(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	b := w.signedInBrowser()
	got := w.tokens(b, nil)
	_, access := claimsOf(t, got.answer.text("access_token"))
	_, id := claimsOf(t, got.answer.text("id_token"))
	resource := w.send(http.MethodGet, w.siteURL("one")+"/.well-known/oauth-protected-resource", "")
	servers, _ := resource.body["authorization_servers"].([]any)
	for where, iss := range map[string]any{
		"an access token": access["iss"], "an ID token": id["iss"],
		"an answer":                        w.toClient(b, authorizeParams("web", "https://web.test/cb", "openid")).Get("iss"),
		"an error":                         w.toClient(b, with(authorizeParams("web", "https://web.test/cb", "openid"), set("prompt", "x"))).Get("iss"),
		"the discovery":                    w.send(http.MethodGet, w.portalURL()+"/.well-known/openid-configuration", "").body["issuer"],
		"introspection of an access token": w.call("introspect", url.Values{"token": {got.answer.text("access_token")}}, basic("web")).body["iss"],
		"introspection of a refresh token": w.call("introspect", url.Values{"token": {got.answer.text("refresh_token")}}, basic("web")).body["iss"],
		"a site's metadata":                slices.Concat(servers, []any{nil})[0],
	} {
		if iss != w.portalURL() {
			t.Errorf("%s: %v", where, iss)
		}
	}
}

// RFC 7517 and 7638: the key set is public, and each key says what it is for.
func TestRFC7517_KeySet(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	got := w.send(http.MethodGet, w.portalURL()+"/jwks.json", "")
	var set struct {
		Keys []map[string]any `json:"keys"`
	}
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(got.text), &set); err != nil || len(set.Keys) != 2 {
		t.Fatalf("%v %s", err, got.text)
	}
	if err := json.Unmarshal([]byte(got.text), &keys); err != nil {
		t.Fatal(err)
	}
	for i, key := range keys.Keys {
		sum, err := key.Thumbprint(crypto.SHA256)
		if err != nil || key.KeyID != base64.RawURLEncoding.EncodeToString(sum) || !key.IsPublic() || !key.Valid() || key.Use != "sig" || key.Algorithm == "" {
			t.Errorf("key %d: %v %v", i, err, set.Keys[i])
		}
		for _, secret := range []string{"d", "p", "q", "dp", "dq", "qi", "k"} {
			if set.Keys[i][secret] != nil {
				t.Errorf("key %d tells %s", i, secret)
			}
		}
	}
	header, _ := claimsOf(t, w.tokens(w.signedInBrowser(), nil).answer.text("access_token"))
	kid, _ := header["kid"].(string)
	if len(keys.Key(kid)) != 1 || keys.Key(kid)[0].Algorithm != header["alg"] {
		t.Errorf("the key of %v is not published", header)
	}
	if !strings.HasPrefix(got.header.Get("Cache-Control"), "public, max-age=") {
		t.Errorf("Cache-Control %q", got.header.Get("Cache-Control"))
	}
}
