package integration_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/integration/gateway"
	"github.com/gatehouse-auth/gatehouse/integration/openid"
)

// TestLog_HoldsNoSecretWithAccessLogsOn signs in, fails to sign in and signs
// out with Caddy's access log and debug log on. That no cookie, code, state,
// token or password is in the log is checked when the gateway ends.
func TestLog_HoldsNoSecretWithAccessLogsOn(t *testing.T) {
	t.Parallel()
	p := openid.Start(t, ssoCallback)
	secrets := new(gateway.Secrets)
	secrets.Learn("client secret", openid.ClientSecret)
	n := gateway.Start(t, gateway.Options{
		Secrets: secrets,
		Caddyfile: strings.Replace(global(ssoProvider(p), localUsers(t)), "{\n", "{\n\tdebug\n", 1) +
			ssoSite + " {\n\tlog\n\tgatehouse\n\treverse_proxy " + upstreamAddr(t) + "\n}\n",
	})
	for _, way := range []string{"password", "provider"} {
		b := newBrowser(t, n)
		page := b.Open(ssoSite + "/reports?year=2026")
		if way == "password" {
			page = login(t, b, page, "alice", "not the password")
			wantStatus(t, page, http.StatusUnauthorized)
			wantStatus(t, login(t, b, page, "alice", alicePassword), http.StatusOK)
		} else {
			var there string
			for _, link := range page.Links() {
				if strings.Contains(link, "provider=sso") {
					there = link
				}
			}
			if there == "" {
				t.Fatalf("the choice page has no link to the provider: %v", page.Links())
			}
			signInAtProvider(t, b, there, "alice")
		}
		signOut(t, b, ssoSite)
	}
	if !strings.Contains(n.Log.Text(), "/reports") {
		t.Error("the access log is off, so this test proves nothing")
	}
}
