package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestGate_LoginUseAndLogout(t *testing.T) {
	w := newWorld(t, gateClient())
	one, two := w.siteURL("one"), w.siteURL("two")

	login := w.login(one + "/some/page?x=1")
	login.want(exitDone, "Open", w.issuer()+"/device", "Signed in as alice", "gate curl "+one+"/", "waiting for approval, ")
	if login.stdout != "" {
		t.Errorf("login writes to standard output: %s", login.stdout)
	}
	if strings.Contains(login.stderr, "eyJ") || strings.Contains(login.stderr, "gtr_") {
		t.Errorf("login shows a secret: %s", login.stderr)
	}

	refreshes := w.count("refresh_token")
	first := w.gate("token").want(exitDone)
	if strings.Count(first.stdout, "\n") != 1 || first.stderr != "" {
		t.Errorf("token prints more than a token: %q %q", first.stdout, first.stderr)
	}
	if again := w.gate("token", "--for", one+"/deep/er"); again.stdout != first.stdout || w.count("refresh_token") != refreshes {
		t.Error("a fresh token was refreshed")
	}
	// The other site was never named: it is asked for its issuer, once.
	other := w.gate("token", "--for="+two).want(exitDone)
	if other.stdout == first.stdout || w.count("refresh_token") != refreshes+1 {
		t.Error("the other site has no token of its own")
	}
	w.clock.advance(19*time.Minute + 30*time.Second)
	if later := w.gate("token").want(exitDone); later.stdout == first.stdout {
		t.Error("a token that ends within the minute was printed")
	}

	w.gate("whoami").want(exitDone, "alice", "alice@example.com", w.issuer(), two)
	var claims map[string]any
	if err := json.Unmarshal([]byte(w.gate("whoami", "--json", two).want(exitDone).stdout), &claims); err != nil || claims["email"] != "alice@example.com" {
		t.Errorf("claims %v, %v", claims, err)
	}
	w.gate("list").want(exitDone, "ISSUER", w.issuer(), "alice", one+", "+two)

	bearer := strings.TrimSpace(w.gate("token").stdout)
	w.gate("logout").want(exitDone, "Signed out at "+w.issuer())
	w.gate("token").want(exitSignIn, "gate login")
	w.gate("list").want(exitDone, "not signed in")
	r, err := newBrowserless(w.environment().transport).get(t.Context(), one+"/", bearer)
	if err != nil || r.status != http.StatusUnauthorized {
		t.Errorf("the token of the ended login opens the site: %d, %v", r.status, err)
	}
}

func TestGate_Curl(t *testing.T) {
	need(t, "curl")
	w := newWorld(t, gateClient())
	one := w.siteURL("one")
	w.login(one)
	w.gate("curl", one+"/api?q=1", "-sS").want(exitDone, "hello alice at /api?q=1")
	env := w.environment()
	w.gateWith(env, "from stdin", "curl", one+"/api", "-sS", "--data-binary", "@-").want(exitDone, "with from stdin")
	w.gate("curl", one+"/api", "-sS", "-d", "https://elsewhere.example").want(exitDone, "with https://elsewhere.example")
	w.gate("curl", "http://localhost:1/", "-sS").want(exitUnreachable)
	w.gate("curl", one+"/.gatehouse/none", "-sS", "--fail").want(22) // curl's own code

	// Nothing in the command line, which every user of the machine can read.
	bearer := strings.TrimSpace(w.gate("token").stdout)
	env.command = func(ctx context.Context, name string, args ...string) *exec.Cmd {
		if strings.Contains(strings.Join(args, " "), bearer) {
			t.Error("the token is in the command line")
		}
		return exec.CommandContext(ctx, name, args...)
	}
	w.gateWith(env, "", "curl", one+"/", "-sS").want(exitDone, "hello alice")

	for name, args := range map[string][]string{
		"second address": {one, "https://evil.example/"},
		"after a flag":   {one, "-s", "https://evil.example/"},
		"--url":          {one, "--url", "evil.example"},
		"--next":         {one, "--next", "evil.example"},
		"redirects":      {one, "--location-trusted"},
		"no URL":         {},
		"option first":   {"-s", one},
		"plain http":     {"http://app.example.com/"},
		"user name":      {"https://me:secret@app.example.com/"},
	} {
		t.Run(name, func(t *testing.T) {
			r := w.gate(append([]string{"curl"}, args...)...).want(exitUsage)
			if strings.Contains(r.stderr, "secret") {
				t.Error(r.stderr)
			}
		})
	}
}

func TestGate_CommandLines(t *testing.T) {
	w := newWorld(t, gateClient())
	for _, c := range []struct {
		args  []string
		code  int
		texts []string
	}{
		{nil, exitUsage, []string{"gate login https://app.example.com", "Exit codes"}},
		{[]string{"help"}, exitDone, []string{"git-credential", "Exit codes"}},
		{[]string{"--help"}, exitDone, []string{"Usage"}},
		{[]string{"help", "login"}, exitDone, []string{"--browser", "--client ID", "Examples"}},
		{[]string{"login", "--help"}, exitDone, []string{"--browser"}},
		{[]string{"curl", "-h"}, exitDone, []string{"Examples"}},
		{[]string{"help", "nothing"}, exitUsage, []string{"gate help"}},
		{[]string{"signin"}, exitUsage, []string{`there is no command "signin"; there are login, token, `}},
		{[]string{"version"}, exitDone, []string{"gate "}},
		{[]string{"--version"}, exitDone, []string{"gate "}},
		{[]string{"login"}, exitUsage, []string{"name the site"}},
		{[]string{"login", "a.example", "b.example"}, exitUsage, []string{"too many"}},
		{[]string{"login", "--qr", "a.example"}, exitUsage, []string{"there is no option --qr", "gate help login"}},
		{[]string{"login", "--client"}, exitUsage, []string{"a value is missing behind --client"}},
		{[]string{"login", "--client", "", "a.example"}, exitUsage, []string{"--client"}},
		{[]string{"login", "http://app.example.com"}, exitUsage, []string{"not encrypted"}},
		{[]string{"login", "ftp://app.example.com"}, exitUsage, []string{"not an https address"}},
		{[]string{"login", "http://localhost:1/"}, exitUnreachable, []string{"reaching localhost:1", "try again"}},
		{[]string{"token", "https://app.example.com"}, exitUsage, []string{"--for"}},
		{[]string{"token"}, exitSignIn, []string{"not signed in", "gate login"}},
		{[]string{"token", "--for", w.siteURL("one")}, exitSignIn, []string{"gate login " + w.siteURL("one")}},
		{[]string{"whoami"}, exitSignIn, []string{"gate login"}},
		{[]string{"logout"}, exitSignIn, []string{"not signed in"}},
		{[]string{"logout", "--all"}, exitDone, []string{"not signed in anywhere"}},
		{[]string{"logout", "--all", "a.example"}, exitUsage, []string{"exclude"}},
		{[]string{"exec-credential"}, exitSignIn, []string{"gate login"}},
		{[]string{"git-credential"}, exitUsage, []string{"get, store or erase"}},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			r := w.gate(c.args...)
			r.t = t
			r.want(c.code, c.texts...)
			if c.code != exitDone && r.stdout != "" {
				t.Errorf("an error writes to standard output: %s", r.stdout)
			}
		})
	}
}

func TestGate_TwoIssuers(t *testing.T) {
	w, other := newWorld(t, gateClient()), newWorld(t, gateClient())
	other.folder = w.folder
	w.login(w.siteURL("one"))
	other.login(other.siteURL("one"))
	w.gate("token").want(exitUsage, "several logins", w.siteURL("one"), other.siteURL("one"))
	w.gate("token", "--for", other.siteURL("one")).want(exitDone)
	w.gate("whoami", w.issuer()).want(exitDone, w.issuer())
	w.gate("logout", w.siteURL("one")).want(exitDone, "Signed out at "+w.issuer())
	w.gate("token").want(exitDone)
	w.gate("logout", "--all").want(exitDone, "Signed out at "+other.issuer())
}

func TestGate_LoginAtTheIssuerItself(t *testing.T) {
	w := newWorld(t, gateClient())
	w.login(w.issuer())
	w.gate("token").want(exitDone)
	w.gate("token", "--for", w.siteURL("two")).want(exitDone)
}

// The smallest configuration has no portal: each site is its own issuer.
func TestGate_SitesAreTheirOwnIssuers(t *testing.T) {
	w := newWorldAt(t, false, gateClient())
	one, two := w.siteURL("one"), w.siteURL("two")
	w.login(one).want(exitDone, "Sign in at "+one+"/.gatehouse.")
	w.gate("token", "--for", two).want(exitSignIn, "not signed in at "+two+"/.gatehouse")
	w.login(two)
	for _, site := range []string{one, two} {
		bearer := strings.TrimSpace(w.gate("token", "--for", site+"/x").want(exitDone).stdout)
		r, err := newBrowserless(w.environment().transport).get(t.Context(), site+"/x", bearer)
		if err != nil || r.status != http.StatusOK {
			t.Errorf("the token for %s does not open it: %d, %v", site, r.status, err)
		}
		w.gate("whoami", site).want(exitDone, "alice@example.com")
	}
	w.gate("logout", "--all").want(exitDone, one, two)
}

func TestGate_DependsOnLittle(t *testing.T) {
	need(t, "go")
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	allowed := []string{"github.com/gatehouse-auth/gatehouse", "golang.org/x/sys", "golang.org/x/term", "rsc.io/qr"}
	for module := range strings.FieldsSeq(string(out)) {
		if !slices.Contains(allowed, module) {
			t.Errorf("gate depends on %s", module)
		}
	}
}

func TestGate_LoginFromAnOpenPage(t *testing.T) {
	w := newWorld(t, gateClient())
	w.login(w.siteURL("one")+"/open/page").want(exitDone, "gate curl "+w.siteURL("one"))
}

// Without a scheme an address is https, as everywhere; what is tried out on this
// machine is http as often as not.
func TestGate_WrongSchemeIsSuggested(t *testing.T) {
	w := newWorld(t, gateClient())
	one := w.siteURL("one")
	bare := strings.TrimPrefix(one, "http://")
	for _, args := range [][]string{
		{"login", bare},
		{"login", "https://" + bare + "/some/page?x=1"},
		{"token", "--for", bare},
		{"curl", bare + "/api"},
	} {
		r := w.gate(args...)
		r.want(exitUnreachable, bare+" speaks http, not https", "Write its address with http: "+one+"\n")
	}

	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	plain := strings.Replace(secure.URL, "https://", "http://", 1)
	w.gate("login", plain).want(exitFailed, "answered 400", "Write its address with https: "+secure.URL+"\n")
}

// Nobody is advised to use http elsewhere.
func TestUnreachable_NoHTTPElsewhere(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "https://app.example.com:80/", nil)
	err := unreachable(r, &url.Error{Op: "Get", URL: r.URL.String(), Err: http.ErrSchemeMismatch})
	f, ok := errors.AsType[*failure](err)
	if !ok || err.Error() != "app.example.com:80 speaks http, not https" || strings.Contains(f.fix, "http://") {
		t.Errorf("%v: %+v", err, f)
	}
}
