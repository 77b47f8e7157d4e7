package device_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestTerminal_WithARealBrowser is a person at a terminal with a phone, who
// refuses at first, then signs in, uses every command and signs out.
func TestTerminal_WithARealBrowser(t *testing.T) {
	t.Parallel()
	w := start(t)
	x := openTerminal(t)
	p := openPhone(t)
	x.resize(80, 24) // the smallest there is: nothing of what is needed may roll out of sight
	x.checkRefusal(w, p)
	x.resize(columns, rows)
	x.checkLogin(w, p)
	x.checkCommands(w)
}

// checkLogin signs in by a phone on which alice has signed in before.
func (x *terminal) checkLogin(w *world, p phone) {
	t := x.t
	t.Helper()
	x.enter("gate login --browser " + w.site)
	code := x.checkCode(w)
	p.open(x.opened())
	text := p.text()
	for _, want := range []string{"gate, the command-line client", "alice", code, "127.0.0.1", "Did you start this yourself"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not show %q:\n%s", want, text)
		}
	}
	p.shoot("device-confirm")
	x.await("waiting for approval") // opening the page is no answer
	p.press("approve")
	if text := p.text(); !strings.Contains(text, "Device connected") {
		t.Errorf("after approving, the page says:\n%s", text)
	}
	p.shoot("device-connected")
	screen := x.ended(0)
	for _, want := range []string{"Signed in as alice at " + w.issuer, "gate curl " + w.site + "/", "gate token --for URL", "gate logout"} {
		if !strings.Contains(screen, want) {
			t.Errorf("the terminal does not say %q:\n%s", want, screen)
		}
	}
}

// checkRefusal has alice sign in on the phone and refuse, of which the terminal
// learns with its next poll.
func (x *terminal) checkRefusal(w *world, p phone) {
	t := x.t
	t.Helper()
	x.enter("gate login --browser " + w.site)
	x.checkCode(w)
	p.open(x.opened())
	p.signIn("alice")
	p.press("refuse")
	if text := p.text(); !strings.Contains(text, "Request refused") {
		t.Errorf("after refusing, the page says:\n%s", text)
	}
	if screen := x.ended(4); !strings.Contains(screen, "the sign-in was refused") {
		t.Errorf("the terminal says:\n%s", screen)
	}
	p.shoot("device-refused")
	if files, _ := filepath.Glob(filepath.Join(x.folder, ".config", "gatehouse", "*.json")); files != nil {
		t.Errorf("a refused login left %v", files)
	}
	if screen := x.run(3, "gate token"); !strings.Contains(screen, "not signed in") {
		t.Errorf("gate token says:\n%s", screen)
	}
}

// checkCode looks at what gate shows a person, and returns the code.
func (x *terminal) checkCode(w *world) string {
	x.t.Helper()
	screen := x.await("waiting for approval")
	if want := "Open      " + w.issuer + "/device\n"; !strings.Contains(screen, want) {
		x.t.Errorf("the terminal does not say %q:\n%s", want, screen)
	}
	code := regexp.MustCompile(`(?m)^ *and type +([A-Z]{4}-[A-Z]{4})$`).FindStringSubmatch(screen)
	if code == nil {
		x.t.Fatalf("the terminal shows no code:\n%s", screen)
	}
	checkQR(x.t, screen)
	return code[1]
}

// checkCommands uses a login as alice, and ends it.
func (x *terminal) checkCommands(w *world) {
	x.t.Helper()
	t, program := x.t, w.program(x.t, 0, "127.0.0.1", "gate")
	paths, err := filepath.Glob(filepath.Join(x.folder, ".config", "gatehouse", "*.json"))
	if err != nil || len(paths) != 1 {
		t.Fatalf("the login is kept in %v, %v", paths, err)
	}
	if info, err := os.Stat(paths[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the login's file has mode %v, %v", info.Mode(), err)
	}

	screen := x.run(0, "gate whoami")
	for _, want := range []string{`user +alice`, `email +alice@example\.com`, `issuer +` + regexp.QuoteMeta(w.issuer), `client +gate`} {
		if !regexp.MustCompile(want).MatchString(screen) {
			t.Errorf("gate whoami does not match %q:\n%s", want, screen)
		}
	}
	screen = x.run(0, "gate curl "+w.site+"/reports?year=2026 -sS")
	if !strings.Contains(screen, "Remote-User: alice") {
		t.Errorf("gate curl does not reach the site as alice:\n%s", screen)
	}
	if got := w.app.Last(t); got.URI != "/reports?year=2026" || got.Header.Get("Authorization") != "" {
		t.Errorf("the site's application saw %s with Authorization %q", got.URI, got.Header.Get("Authorization"))
	}
	x.run(0, "gate token --for "+w.site+" >token")
	token := x.file("token")
	w.nodes[0].Secrets.Learn("access_token", token)
	if got := program.get(w.site+"/", token); got != http.StatusOK {
		t.Errorf("the token opens the site with %d", got)
	}

	var kept struct {
		RefreshToken string `json:"refresh_token"`
	}
	text, err := os.ReadFile(paths[0])
	if err != nil || json.Unmarshal(text, &kept) != nil || kept.RefreshToken == "" {
		t.Fatalf("reading the login: %v", err)
	}
	w.nodes[0].Secrets.Learn("refresh_token", kept.RefreshToken)
	if screen := x.run(0, "gate logout"); !strings.Contains(screen, "Signed out at "+w.issuer) {
		t.Errorf("gate logout says:\n%s", screen)
	}
	program.post("token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {kept.RefreshToken}}).
		want(t, http.StatusBadRequest, "invalid_grant")
	// Long before it expires, or the session is revalidated.
	for deadline := time.Now().Add(30 * time.Second); program.get(w.site+"/", token) != http.StatusUnauthorized; {
		if time.Now().After(deadline) {
			t.Error("the access token opens the site after the logout")
			break
		}
	}
	if screen := x.run(3, "gate token"); !strings.Contains(screen, "not signed in") || !strings.Contains(screen, "gate login") {
		t.Errorf("gate token after the logout says:\n%s", screen)
	}
	if _, err := os.Stat(paths[0]); !os.IsNotExist(err) {
		t.Errorf("the login's file is still there: %v", err)
	}
}

// get asks for a page with a bearer token, and returns the status.
func (p *program) get(address, token string) int {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, address, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := p.client.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}
