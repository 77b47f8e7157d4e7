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

// TestLog_HoldsNoSecretWhereARewriteComesBeforeTheGuard has Caddy's rewrite log every
// request of the site at DEBUG, addresses of ours with a code and a state among
// them. That none is in the log is checked when the gateway ends.
func TestLog_HoldsNoSecretWhereARewriteComesBeforeTheGuard(t *testing.T) {
	t.Parallel()
	p := openid.Start(t, ssoCallback)
	secrets := new(gateway.Secrets)
	secrets.Learn("client secret", openid.ClientSecret)
	n := gateway.Start(t, gateway.Options{
		Secrets: secrets,
		Caddyfile: strings.Replace(global(ssoProvider(p)), "{\n", "{\n\tdebug\n", 1) + ssoSite + " {\n\tlog\n\tlog_append who {http.auth.user.id}\n" +
			"\tmethod {method}\n\trewrite * /app{uri}\n\trewrite /app/app/* /other\n\tgatehouse /app/reports\n\treverse_proxy " + upstreamAddr(t) + "\n}\n",
	})
	b := newBrowser(t, n)
	wantStatus(t, b.Open(ssoSite+"/open"), http.StatusOK)
	signInAtProvider(t, b, ssoSite+"/reports?year=2026", "alice")
	signOut(t, b, ssoSite)
	text := n.Log.Text()
	if !strings.Contains(text, "rewrote request") || !strings.Contains(text, "/.gatehouse/callback") {
		t.Error("the rewrite logs nothing, so this test proves nothing")
	}
	if strings.Contains(text, "{http.auth") {
		t.Error("the log has a placeholder as it is written")
	}
}
