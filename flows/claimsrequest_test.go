package flows_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

// OpenID Connect Core, section 5.5.1.1: an essential acr that cannot be met is a failed
// sign-in; a voluntary one, and claims that are not there, are wishes
// (https://github.com/panva/node-oidc-provider/issues/1231 asks for the same). Section
// 3.1.2.2: nobody but the subject that was asked for gets an answer.
func TestClaimsParameter(t *testing.T) {
	var asked []provider.AuthRequest
	op, rp := twoWorldsWrapped(t, worldOptions{portal: true, portalHost: "rp.test", clients: oauthClients()}, func(p provider.Redirect) provider.Provider {
		return leveled{p, map[string]bool{"gold": true}, &asked}
	})
	op.clock.hold(0)
	rp.clock.hold(0)
	b := newBrowser(t)
	b.get(rp.siteURL("app")+"/").signIn("alice", "wonderland").want(200, "hello")
	params := authorizeParams("web", "https://web.test/cb", "openid")
	ask := func(claims, prompt string) url.Values {
		t.Helper()
		return viaProvider(t, b.held(), rp, with(params, func(v url.Values) { v.Set("claims", claims); v.Set("prompt", prompt) }))
	}
	const unmet = "unmet_authentication_requirements"
	for _, c := range []struct{ claims, prompt, error string }{
		{`{"id_token":{"acr":{"values":["platinum","urn:of:nobody"]}}}`, "", ""},
		{`{"id_token":{"acr":{"essential":true}}}`, "", ""},
		{`{"id_token":{"acr":null,"email":{"essential":true},"of:nobody":null},"userinfo":{"name":null}}`, "", ""},
		{`{"userinfo":{"acr":{"essential":true,"value":"platinum"}}}`, "", ""}, // for the ID token alone
		{`{"id_token":{"acr":{"essential":true,"value":"platinum"}}}`, "", unmet},
		{`{"id_token":{"acr":{"essential":true,"value":"platinum"}}}`, "none", "login_required"},
		{`{"id_token":{"acr":{"essential":true,"values":["gold"]}}}`, "", ""},
		{`{"id_token":{"acr":{"essential":true,"value":"gold"}}}`, "none", ""}, // proved by now
		{`{"id_token":{"sub":{"value":"somebody else"}}}`, "none", "login_required"},
		{`{"id_token":{"acr":{"essential":true,"value":7}}}`, "", "invalid_request"},
		{`{"id_token":{"acr":{"essential":true,"value":"a b"}}}`, "", "invalid_request"},
		{`{"id_token":{"acr":{"essential":"yes"}}}`, "", "invalid_request"},
		{`{"id_token":{"acr":"gold"}}`, "", "invalid_request"},
		{`[]`, "", "invalid_request"},
		{`{`, "", "invalid_request"},
		{`{"id_token":{"x":"` + strings.Repeat("x", 5000) + `"}}`, "", "invalid_request"},
	} {
		got := ask(c.claims, c.prompt)
		if got.Get("error") != c.error || got.Has("code") != (c.error == "") {
			t.Errorf("%.90s: %v, want %q", c.claims, got, c.error)
		}
	}
	got := ask(`{"id_token":{"acr":{"essential":true,"value":"gold"}}}`, "")
	if _, claims := claimsOf(t, rp.call("token", redeem(got.Get("code")), basic("web")).answer.text("id_token")); claims["acr"] != "gold" {
		t.Errorf("the ID token says acr %v", claims["acr"])
	}
}

// TestClaimsParameter_ByPassword: a password is of no class.
func TestClaimsParameter_ByPassword(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	params := with(authorizeParams("web", "https://web.test/cb", "openid"), set("claims", `{"id_token":{"acr":{"essential":true,"value":"gold"}}}`))
	b := newBrowser(t).held()
	b.get(w.portalURL()+"/authorize?"+params.Encode()).want(200, "password")
	b.signIn("alice", "wonderland")
	if got := b.arrived(); got.Get("error") != "unmet_authentication_requirements" {
		t.Errorf("%d %v", b.last.StatusCode, got)
	}
}
