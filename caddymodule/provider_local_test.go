package caddymodule

import (
	"net/http"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// The advice is a command that can be typed, whatever the program is called.
func TestLocal_AdviceNamesTheProgram(t *testing.T) {
	const users = "{\n\tgatehouse {\n\t\tprovider local {\n%\n\t\t}\n\t}\n}\nhttp://localhost {\n\tgatehouse\n}\n"
	for _, line := range []string{"user alice wonderland", "user alice", ""} {
		for binary, want := range map[string]string{"": "caddy hash-password", "gatehouse": "gatehouse hash-password"} {
			before := caddy.CustomBinaryName
			caddy.CustomBinaryName = binary
			_, err := adapt(strings.Replace(users, "%", line, 1))
			caddy.CustomBinaryName = before
			if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "wonderland") {
				t.Errorf("%q in the binary %q: %v", line, binary, err)
			}
		}
	}
}

// A reload with another password hash ends the user's sessions, and only those; one
// with the same hash ends none. A restart, and a change of the secret, end none.
func TestReload_AChangedPasswordHashEndsSessions(t *testing.T) {
	dir := t.TempDir()
	const site = "http://app.example.com {\n\tgatehouse\n" + echo + "}"
	bob := strings.Replace(aliceLocal, "user alice", "user bob "+cheapHash+"\n\tuser alice", 1)
	changed := strings.Replace(bob, "user alice "+cheapHash, "user alice "+strings.Replace(cheapHash, "gmZ5", "gmZ6", 1), 1)
	if changed == bob {
		t.Fatal("nothing is changed")
	}
	const secret, newer = "secret \"a secret that only tests know\"\n", "secret \"another secret that only tests know\"\n"
	first, err := start(t, config(t, dir, secret+bob, site))
	if err != nil {
		t.Fatal(err)
	}
	ofAlice := first.signIn("app.example.com", nil)
	ofBob := first.signIn("app.example.com", func(c *identity.Claims) { c.ID, c.User = "bob", "bob" })
	before := first
	for _, step := range []struct {
		name, lines string
		alice, bob  int
	}{
		{"the same", secret + bob, http.StatusOK, http.StatusOK},
		{"a new secret", newer + secret + bob, http.StatusOK, http.StatusOK},
		{"another hash", newer + secret + changed, http.StatusUnauthorized, http.StatusOK},
		{"no alice", newer + secret + strings.Replace(bob, "user alice", "user carol", 1), http.StatusUnauthorized, http.StatusOK},
		{"another hash again", newer + secret + changed, http.StatusUnauthorized, http.StatusOK},
	} {
		next, err := start(t, config(t, dir, step.lines, site))
		if err != nil {
			t.Fatal(err)
		}
		before.stop()
		before = next
		if got := next.do(get("http://app.example.com/", ofAlice)).Code; got != step.alice {
			t.Errorf("%s: alice is answered %d, want %d", step.name, got, step.alice)
		}
		if got := next.do(get("http://app.example.com/", ofBob)).Code; got != step.bob {
			t.Errorf("%s: bob is answered %d, want %d", step.name, got, step.bob)
		}
	}
	before.stop()
}
