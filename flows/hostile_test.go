package flows_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/client"
)

// hostileValues are what no well-meaning program sends.
func hostileValues() []string {
	return []string{
		"", "\x00", "\xff\xfe", "\r\nX: y", "{env.HOME}", "<script>alert(1)</script>", "../../etc/passwd", "' OR 1=1 --", "%00", "null", "-1",
		"99999999999999999999", strings.Repeat("é", 10_000), strings.Repeat("(", 2000), "urn:ietf:params:oauth:request_uri:\x00", "gtr_\x00", "eyJhbGciOiJub25lIn0.e30.",
	}
}

// TestHostile_ParametersAreAnErrorOfTheRFC puts each of them into each
// parameter of requests that are in order otherwise: no answer is a 5xx (send
// sees to that), and each refusal is an error of the RFCs and tells nothing
// more.
func TestHostile_ParametersAreAnErrorOfTheRFC(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	b := w.signedInBrowser()
	live := w.tokens(b, nil)
	device := w.call("device_authorization", url.Values{"client_id": {"cli"}})
	// Wrong in one thing each, so that little is used up.
	bases := map[string][]url.Values{
		"token": {
			with(redeem(w.code(b, authorizeParams("web", "https://web.test/cb", "openid"))), set("code_verifier", strings.Repeat("x", 43))),
			{"grant_type": {"refresh_token"}, "refresh_token": {live.answer.text("refresh_token")}, "scope": {"email"}},
			{"grant_type": {"client_credentials"}, "scope": {"admin"}},
			{"client_id": {"cli"}, "grant_type": {client.GrantDevice}, "device_code": {device.answer.text("device_code")}},
		},
		"introspect":           {{"token": {live.answer.text("access_token")}}},
		"revoke":               {{"token": {"x"}}},
		"par":                  {authorizeParams("web", "https://web.test/cb", "openid")},
		"device_authorization": {{"client_id": {"cli"}, "scope": {"openid"}}},
	}
	names := []string{
		"grant_type", "code", "redirect_uri", "code_verifier", "refresh_token", "scope", "device_code", "token", "token_type_hint", "client_id", "client_secret",
		"client_assertion", "client_assertion_type", "request_uri", "request", "code_challenge", "code_challenge_method", "resource", "state", "nonce", "prompt",
		"max_age", "login_hint", "acr_values", "dpop_jkt", "id_token_hint", "claims", "response_type", "response_mode",
	}
	known := []string{
		"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope", "invalid_target",
		"unsupported_response_type", "request_not_supported", "authorization_pending", "slow_down", "expired_token",
	}
	for endpoint, forms := range bases {
		for _, form := range forms {
			for _, name := range names {
				for _, value := range hostileValues() {
					who := basic("web")
					if form.Has("client_id") && endpoint != "par" {
						who = "X: x"
					}
					got := w.call(endpoint, with(form, set(name, value)), who)
					if got.status == http.StatusTooManyRequests {
						w.clock.advance(11 * time.Minute) // the flows of before are over
						got = w.call(endpoint, with(form, set(name, value)), who)
					}
					if got.status < http.StatusBadRequest {
						continue
					}
					code, _ := got.body["error"].(string)
					description, _ := got.body["error_description"].(string)
					if !slices.Contains(known, code) || !describes(description) || len(got.text) > 300 || got.header.Get("Cache-Control") != "no-store" {
						t.Errorf("%s with %s=%.20q: %d %.300s", endpoint, name, value, got.status, got.text)
					}
					if len(value) > 4 && strings.Contains(got.text, value) {
						t.Errorf("%s with %s=%.20q: the answer repeats it", endpoint, name, value)
					}
				}
			}
		}
	}
}

// TestHostile_AuthorizationRequestsLeadHome: whatever it holds, a request leads
// to the client's own address or nowhere.
func TestHostile_AuthorizationRequestsLeadHome(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	good := authorizeParams("web", "https://web.test/cb", "openid")
	for _, name := range []string{
		"client_id", "redirect_uri", "response_type", "response_mode", "scope", "state", "nonce", "code_challenge", "code_challenge_method", "prompt",
		"max_age", "login_hint", "acr_values", "dpop_jkt", "id_token_hint", "claims", "request", "request_uri", "resource", "provider",
	} {
		for _, value := range append(hostileValues(), "https://evil.test/", "//evil.test", "https://web.test/cb@evil.test") {
			got := w.send(http.MethodGet, w.portalURL()+"/authorize?"+with(good, set(name, value)).Encode(), "", "Accept: text/html")
			if to := got.header.Get("Location"); to != "" && !strings.HasPrefix(to, "https://web.test/cb?") {
				t.Errorf("%s=%.20q leads to %.100s", name, value, to)
			}
			if got.header.Get("Cache-Control") != "no-store" || strings.Contains(got.text, "<script>alert") || strings.Contains(got.text, "evil.test") {
				t.Errorf("%s=%.20q: %d %.500s", name, value, got.status, got.text)
			}
		}
	}
}

// TestHostile_Headers: credentials and proofs of all kinds of nonsense.
func TestHostile_Headers(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	form := url.Values{"grant_type": {"client_credentials"}, "token": {"x"}}
	for _, value := range []string{
		"", " ", "Basic", "Basic ", "Basic !", "Basic Og==", "Basic " + strings.Repeat("A", 10_000), "Bearer", "Bearer ", "Bearer x", "Bearer ..", "Bearer a.b.c",
		"DPoP", "DPoP x", "Digest username=x", "\xff", "Bearer " + strings.Repeat("A", 20_000), "Bearer gtr_x", "Bearer eyJhbGciOiJub25lIn0.e30.", "Negotiate x",
	} {
		for _, endpoint := range []string{"token", "introspect", "revoke", "par", "device_authorization"} {
			if got := w.call(endpoint, form, "Authorization: "+value); got.status != http.StatusUnauthorized && got.status != http.StatusBadRequest {
				t.Errorf("%s with %.30q: %d %s", endpoint, value, got.status, got.text)
			}
		}
		if got := w.send(http.MethodGet, w.portalURL()+"/userinfo", "", "Authorization: "+value, "DPoP: "+value); got.status != http.StatusUnauthorized {
			t.Errorf("userinfo with %.30q: %d %s", value, got.status, got.text)
		}
		got := w.call("token", form, basic("web"), "DPoP: "+value)
		got.refused(t, "proof "+value, http.StatusBadRequest, "invalid_dpop_proof")
	}
}
