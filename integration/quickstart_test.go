package integration_test

import (
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/integration/gateway"
)

// startQuickstart runs caddyfiles/quickstart.Caddyfile on free ports and
// returns the origin of its guarded site.
func startQuickstart(t *testing.T) (n *gateway.Node, origin string) {
	t.Helper()
	caddyfile, ports := gateway.Move(t, example(t, "quickstart.Caddyfile"))
	if ports[8080] == 0 {
		t.Fatal("the quickstart does not mention localhost:8080")
	}
	return gateway.Start(t, gateway.Options{Caddyfile: caddyfile}), fmt.Sprintf("http://localhost:%d", ports[8080])
}

func TestQuickstart_SignInLandsOnTheAskedForPage(t *testing.T) {
	t.Parallel()
	n, origin := startQuickstart(t)
	b := newBrowser(t, n)

	asked := origin + "/reports?year=2026"
	page := b.Open(asked)
	wantStatus(t, page, http.StatusOK)
	if first := page.Trail[0]; first.Status != http.StatusSeeOther {
		t.Errorf("a navigation was answered with %d, want 303", first.Status)
	}
	form := b.Find(page, "username")
	if form.Method != http.MethodPost {
		t.Errorf("the sign-in form is sent by %s", form.Method)
	}

	page = login(t, b, page, "alice", alicePassword)
	wantStatus(t, page, http.StatusOK)
	if got := page.URL.String(); got != asked {
		t.Errorf("landed on %s, want %s", got, asked)
	}
	for _, want := range []string{"Remote-User: alice", "Remote-Groups: staff"} {
		if !strings.Contains(page.Body, want+"\n") {
			t.Errorf("the upstream did not see %q:\n%s", want, page.Body)
		}
	}
	for line := range strings.Lines(page.Body) {
		name, value, _ := strings.Cut(line, ":")
		if strings.EqualFold(name, "Cookie") && strings.Contains(value, "gatehouse") {
			t.Errorf("the upstream saw a cookie of ours")
		}
	}
}

func TestQuickstart_SignOutEndsTheSession(t *testing.T) {
	t.Parallel()
	n, origin := startQuickstart(t)
	b := newBrowser(t, n)
	signIn(t, b, origin+"/", "alice", alicePassword)
	stolen := newBrowser(t, n)
	for _, cookie := range b.Cookies(origin) {
		stolen.SetCookie(origin, cookie)
	}
	if !signedIn(t, stolen, origin) {
		t.Fatal("a copy of the cookie opens nothing, so this test would prove nothing")
	}

	// Looking at the page, as a prefetching browser does, ends nothing.
	wantStatus(t, b.Open(origin+"/.gatehouse/logout"), http.StatusOK)
	if !signedIn(t, b, origin) {
		t.Fatal("GET of the sign-out page signed out")
	}
	wantStatus(t, signOut(t, b, origin), http.StatusOK)
	if signedIn(t, b, origin) {
		t.Error("still signed in after signing out")
	}
	if signedIn(t, stolen, origin) {
		t.Error("the old cookie is worth something after signing out")
	}
}

func TestQuickstart_RestartSignsNobodyOut(t *testing.T) {
	t.Parallel()
	n, origin := startQuickstart(t)
	b := newBrowser(t, n)
	signIn(t, b, origin+"/", "alice", alicePassword)
	n.Stop(t)
	n.Restart(t)
	if !signedIn(t, b, origin) {
		t.Error("signed out by a restart")
	}
	n.Kill(t)
	n.Restart(t)
	if !signedIn(t, b, origin) {
		t.Error("signed out by a crash")
	}
}

func TestQuickstart_ClientsCannotSpeakForOthers(t *testing.T) {
	t.Parallel()
	n, origin := startQuickstart(t)
	b := newBrowser(t, n)
	signIn(t, b, origin+"/", "alice", alicePassword)
	page := b.Send(http.MethodGet, origin+"/",
		"Remote-User: mallory", "REMOTE-GROUPS: wheel", "remote_user: mallory", "Remote.User: mallory",
		"Remote_Groups: wheel", "Connection: Remote-User, close")
	wantStatus(t, page, http.StatusOK)
	for _, lie := range []string{"mallory", "wheel"} {
		if strings.Contains(page.Body, lie) {
			t.Errorf("the upstream saw %q:\n%s", lie, page.Body)
		}
	}
	if !strings.Contains(page.Body, "Remote-User: alice\n") {
		t.Errorf("the upstream did not see alice:\n%s", page.Body)
	}
}

func TestQuickstart_ATakenPortNamesTheLineToChange(t *testing.T) {
	t.Parallel()
	caddyfile, ports := gateway.Move(t, example(t, "quickstart.Caddyfile"))
	taken, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[8080])))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	said := gateway.Refuse(t, gateway.Options{Caddyfile: caddyfile})
	if !strings.Contains(said, strconv.Itoa(ports[8080])) || !strings.Contains(said, "in use") {
		t.Errorf("the error does not name the port:\n%s", said)
	}
}

func TestUsers_RemovalOfUserOrGroupCountsWithinAMinute(t *testing.T) {
	t.Parallel()
	up := upstreamAddr(t)
	hashed := hash(t, alicePassword)
	config := func(user string) string {
		return global("provider local {\n"+user+"\n}", "policy staff {\nallow group staff\n}") +
			guarded("http://app.localhost", up, "staff")
	}
	alice := "user alice " + hashed + " {\ngroups staff\n}"
	for name, changed := range map[string]string{
		"group removed": "user alice " + hashed,
		"user removed":  "user carol " + hashed + " {\ngroups staff\n}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := gateway.Start(t, gateway.Options{Caddyfile: config(alice)})
			b := newBrowser(t, n)
			signIn(t, b, "http://app.localhost/", "alice", alicePassword)
			if err := n.Reload(t, config(changed)); err != nil {
				t.Fatal(err)
			}
			await(t, time.Minute, "being shown the door", func() bool {
				return !signedIn(t, b, "http://app.localhost/")
			})
		})
	}
}
