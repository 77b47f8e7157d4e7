package integration_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/integration/gateway"
)

// startPorts runs two guarded sites and their portal on three ports of
// localhost, where all of them share one jar of cookies.
func startPorts(t *testing.T) (n *gateway.Node, portal, one, two string) {
	t.Helper()
	origin := func() string { return fmt.Sprintf("http://localhost:%d", gateway.FreePort(t)) }
	portal, one, two = origin(), origin(), origin()
	up := upstreamAddr(t)
	n = gateway.Start(t, gateway.Options{
		Caddyfile: global("issuer "+portal, localUsers(t), "policy staff {\nallow group staff\n}") +
			portal + " {\n\tgatehouse_portal\n}\n" + guarded(one, up, "") + guarded(two, up, "staff"),
	})
	return n, portal, one, two
}

func TestThreePorts_OneSignInServesAllAndNoneSignsAnotherOut(t *testing.T) {
	t.Parallel()
	n, portal, one, two := startPorts(t)
	b := newBrowser(t, n)
	page := signIn(t, b, one+"/reports?year=2026", "alice", alicePassword)
	if got := page.URL.String(); got != one+"/reports?year=2026" {
		t.Errorf("landed on %s", got)
	}
	page = b.Open(two + "/dashboard")
	if got := page.URL.String(); page.Status != http.StatusOK || got != two+"/dashboard" {
		t.Errorf("the second site answered with %d at %s:\n%s", page.Status, got, page.Path())
	}
	for range 3 {
		for _, site := range []string{one, two} {
			if !signedIn(t, b, site) {
				t.Fatalf("%s forgot the session", site)
			}
			wantStatus(t, b.Open(portal+"/"), http.StatusOK)
		}
	}
	wantStatus(t, signOut(t, b, two), http.StatusOK)
	for _, site := range []string{one, two} {
		if signedIn(t, b, site) {
			t.Errorf("still signed in at %s after signing out", site)
		}
	}
	if page := b.Open(one + "/"); !strings.HasPrefix(page.URL.String(), portal) {
		t.Errorf("after signing out, %s leads to %s instead of the portal's form", one, page.URL)
	}
}

func TestThreePorts_EachSiteChecksItsOwnPolicy(t *testing.T) {
	t.Parallel()
	n, _, one, two := startPorts(t)
	b := newBrowser(t, n)
	signIn(t, b, one+"/", "bob", bobPassword)
	wantStatus(t, b.Open(two+"/"), http.StatusForbidden)
	if !signedIn(t, b, one) {
		t.Error("a refusal at one site ended the session at another")
	}
}

func TestPortal_HandsOverOnlyToItsOwnSites(t *testing.T) {
	t.Parallel()
	n, portal, one, _ := startPorts(t)
	b := newBrowser(t, n)
	signIn(t, b, one+"/", "alice", alicePassword)
	b.StopAt("/.gatehouse/callback")
	good := newBrowser(t, n)
	good.StopAt("/authorize")
	begin := good.Open(one + "/").Next()
	if begin == nil || !strings.HasPrefix(begin.String(), portal) {
		t.Fatalf("the site does not send the browser to its portal but to %v", begin)
	}
	for _, elsewhere := range []string{
		"https://evil.example/.gatehouse/callback", "http://localhost:9/.gatehouse/callback",
		one + "/elsewhere", one + "/.gatehouse/callback/../../x", one + ".evil.example/.gatehouse/callback",
		strings.Replace(one, "://", "://evil.example@", 1) + "/.gatehouse/callback", one + "/.gatehouse/callback#x",
	} {
		query := begin.Query()
		query.Set("redirect_uri", elsewhere)
		page := b.Step(portal + "/authorize?" + query.Encode())
		if to := page.Next(); to != nil && (to.Query().Has("code") || !strings.HasPrefix(to.String(), portal)) {
			t.Errorf("redirect_uri %s leads to %s", elsewhere, to.Redacted())
		}
		if page.Status < 400 {
			t.Errorf("redirect_uri %s: status %d", elsewhere, page.Status)
		}
	}
}

func TestPortal_ACodeIsBoundToItsBrowserAndUsedOnce(t *testing.T) {
	t.Parallel()
	n, _, one, _ := startPorts(t)
	b := newBrowser(t, n)
	b.StopAt("/.gatehouse/callback")
	page := login(t, b, b.Open(one+"/"), "alice", alicePassword)
	callback := page.Next()
	if callback == nil || callback.Query().Get("code") == "" {
		t.Fatalf("the portal gave no code:\n%s%s", page.Path(), page.Text())
	}
	victim := newBrowser(t, n)
	if page := victim.Step(callback.String()); page.Status < 400 {
		t.Errorf("another browser's code was taken: %d", page.Status)
	}
	if signedIn(t, victim, one) {
		t.Error("another browser's code signed in")
	}
	b.StopAt("")
	wantStatus(t, b.Open(callback.String()), http.StatusOK)
	// Whoever is signed in goes on, and no code is taken (oauth2-proxy#1387).
	if page := b.Step(callback.String()); page.Status != http.StatusSeeOther || page.Header.Get("Location") != "/" || page.Header.Get("Set-Cookie") != "" {
		t.Errorf("a replay: %d %v", page.Status, page.Header)
	}
	if !signedIn(t, b, one) {
		t.Error("a replay ended the session")
	}
}
