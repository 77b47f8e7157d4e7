package integration_test

import (
	"net/http"
	"testing"

	"github.com/gatehouse-auth/gatehouse/integration/gateway"
	"github.com/gatehouse-auth/gatehouse/integration/openid"
)

func TestReload_InTheMiddleOfASignInLosesNothing(t *testing.T) {
	t.Parallel()
	p := openid.Start(t, ssoCallback)
	up := upstreamAddr(t)
	config := func(comment string) string {
		return "# " + comment + "\n" + global(ssoProvider(p), "session {\nidle "+comment+"\n}") + guarded(ssoSite, up, "")
	}
	n := gateway.Start(t, gateway.Options{Caddyfile: config("6d")})
	early := newBrowser(t, n)
	signInAtProvider(t, early, ssoSite+"/", "bob")

	b := newBrowser(t, n)
	callback := stopAtCallback(t, b, ssoSite+"/reports", "alice")
	if err := n.Reload(t, config("5d")); err != nil {
		t.Fatal(err)
	}
	b.StopAt("")
	page := b.Open(callback)
	if page.Status != http.StatusOK || page.URL.Path != "/reports" {
		t.Errorf("landed on %s with %d:\n%s", page.URL, page.Status, page.Text())
	}
	if !signedIn(t, early, ssoSite) {
		t.Error("a reload ended a session")
	}
}

func TestReload_ThatIsRefusedChangesNothing(t *testing.T) {
	t.Parallel()
	up := upstreamAddr(t)
	good := global(localUsers(t)) + guarded(ssoSite, up, "")
	n := gateway.Start(t, gateway.Options{Caddyfile: good})
	b := newBrowser(t, n)
	page := b.Open(ssoSite + "/")
	for name, bad := range map[string]string{
		"unknown policy":   global(localUsers(t)) + guarded(ssoSite, up, "nonesuch"),
		"no password hash": global("provider local {\nuser alice wonderland\n}") + guarded(ssoSite, up, ""),
		"empty secret":     global(localUsers(t), "token_store postgres {env.NO_SUCH_VARIABLE}", "secret 0123456789abcdef") + guarded(ssoSite, up, ""),
	} {
		if err := n.Reload(t, bad); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	page = login(t, b, page, "alice", alicePassword)
	wantStatus(t, page, http.StatusOK)
	if !signedIn(t, b, ssoSite) {
		t.Error("not signed in after refused reloads")
	}
}
