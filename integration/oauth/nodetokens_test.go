package oauth_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/integration/browser"
	"github.com/gatehouse-auth/gatehouse/integration/gateway"
	"github.com/gatehouse-auth/gatehouse/integration/upstream"
)

// TestNodeProvider_TokensAndBackchannelLogout: node-oidc-provider refreshes an access token
// of three seconds again and again, and rotates the refresh token each time, as it does by
// default for clients without a secret: who presents one twice loses all of them there. A
// sign-out at the provider ends the session here by a back-channel logout, which is the one
// feature that it has switched off by default.
func TestNodeProvider_TokensAndBackchannelLogout(t *testing.T) {
	t.Parallel()
	site := origin(t, "http")
	issuer := site + "/.gatehouse"
	provider := startNodeProvider(t, "", issuer+"/callback/sso", fmt.Sprintf(`{
		"features": {"backchannelLogout": {"enabled": true}}, "ttl": {"AccessToken": 3},
		"client": {
			"token_endpoint_auth_method": "none", "grant_types": ["authorization_code", "refresh_token"],
			"backchannel_logout_uri": "%s/backchannel_logout/sso", "backchannel_logout_session_required": true
		}
	}`, issuer))
	app, secrets := upstream.Start(t), new(gateway.Secrets)
	node := gateway.Start(t, gateway.Options{Secrets: secrets, Caddyfile: fmt.Sprintf(`{
	gatehouse {
		provider sso oidc %s {
			client_id gateway
			client_auth none
			scopes openid offline_access
			prompt consent
			store_tokens
		}
	}
}
%s {
	gatehouse {
		provider_token sso
	}
	reverse_proxy %s
}
`, provider, site, app.Addr)})
	b := browser.New(t, browser.Options{Route: node.Route, Learn: secrets.Learn})
	page := atNodeProvider(t, b, b.Open(site+"/first"))
	if page.Status != http.StatusOK || page.URL.String() != site+"/first" {
		t.Fatalf("the sign-in ends at %s:\n%s%s", page.URL, page.Path(), page.Text())
	}
	seen := map[string]bool{}
	for deadline := time.Now().Add(2 * time.Minute); len(seen) < 4; {
		if time.Now().After(deadline) {
			t.Fatalf("%d tokens came, want 4", len(seen))
		}
		if page = b.Step(site + "/again"); page.Status != http.StatusOK {
			t.Fatalf("after %d tokens: %d %s", len(seen), page.Status, page.Text())
		}
		token := strings.TrimPrefix(app.Last(t).Header.Get("Authorization"), "Bearer ")
		secrets.Learn("access token", token)
		seen[token] = true
	}

	page = b.Open(provider + "/session/end")
	page = b.Submit(page, b.Find(page, "xsrf"), map[string]string{"logout": "yes"})
	if page.Status != http.StatusOK {
		t.Fatalf("the sign-out there: %d %s", page.Status, page.Text())
	}
	for deadline := time.Now().Add(time.Minute); b.Fetch(http.MethodGet, site+"/api").Status != http.StatusUnauthorized; {
		if time.Now().After(deadline) {
			t.Fatal("the session here lives on after the sign-out at the provider")
		}
	}
}
