package device_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/gatehouse-auth/gatehouse/integration/gateway"
	"github.com/gatehouse-auth/gatehouse/integration/upstream"
)

// longestFlow is how long a client may take that nobody has looked after.
const longestFlow = 2 * time.Minute

// TestClients_AreDeliveredWithinOneInterval runs device clients of other people.
// Each polls at least once before the approval, and the first poll after it gets
// the tokens (H2CK/oidc#716).
func TestClients_AreDeliveredWithinOneInterval(t *testing.T) {
	t.Parallel()
	for name, client := range map[string]func(t *testing.T, w *world, say io.Writer) error{
		"oauth4webapi": func(t *testing.T, w *world, say io.Writer) error {
			return run(t, say, script(t, w, "oauth4webapi.mjs"))
		},
		"openid-client": func(t *testing.T, w *world, say io.Writer) error {
			return run(t, say, script(t, w, "openid-client.mjs"))
		},
		"oidc-agent":                 oidcAgent,
		"x/oauth2":                   xOAuth2,
		"one that ignores slow_down": headstrong,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			said, say := io.Pipe()
			done := make(chan error, 1)
			w := startLogged(t)
			go func() {
				err := client(t, w, say)
				_ = say.Close()
				done <- err
			}()
			w.checkDelivery(t, said)
			select {
			case err := <-done:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(longestFlow):
				t.Error("the client does not come to an end")
			}
		})
	}
}

// startLogged is start with an access log of the issuer.
func startLogged(t *testing.T) *world {
	t.Helper()
	origin := func() string { return fmt.Sprintf("http://localhost:%d", gateway.FreePort(t)) }
	w := &world{issuer: origin(), site: origin(), app: upstream.Start(t)}
	text := strings.Replace(w.caddyfile(t, ""), "gatehouse_portal", "log\n\tgatehouse_portal", 1)
	w.nodes = []*gateway.Node{gateway.Start(t, gateway.Options{Caddyfile: text})}
	return w
}

// checkDelivery reads what a client says, approves when it has polled in vain, and
// looks at its polls.
func (w *world) checkDelivery(t *testing.T, said io.Reader) {
	t.Helper()
	code := make(chan string, 1)
	go func() {
		shown := regexp.MustCompile(`\b[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}\b`)
		for lines := bufio.NewScanner(said); lines.Scan(); {
			t.Log(lines.Text())
			if found := shown.FindString(lines.Text()); found != "" {
				select {
				case code <- found:
				default:
				}
			}
		}
		_, _ = io.Copy(io.Discard, said)
	}()
	var f flow
	select {
	case f.userCode = <-code:
	case <-time.After(longestFlow):
		t.Fatal("the client shows no code")
	}
	f.complete = w.issuer + "/device?" + url.Values{"user_code": {f.userCode}}.Encode()
	b := w.signedIn(t, 0, "alice")
	page, form := asked(t, b, f)
	w.awaitPolls(t, func(polls []poll) bool { return len(polls) > 0 })
	if page = b.Submit(page, form, map[string]string{"decision": "approve"}); !strings.Contains(page.Text(), "Device connected") {
		t.Fatalf("approving answers %d %s", page.Status, page.Text())
	}
	approved := time.Now()
	after := func(polls []poll) (later []poll) {
		for _, p := range polls {
			if p.at.After(approved) {
				later = append(later, p)
			}
		}
		return later
	}
	polls := after(w.awaitPolls(t, func(polls []poll) bool { return len(after(polls)) > 0 }))
	if polls[0].status != http.StatusOK {
		t.Errorf("the first poll after the approval is answered %d", polls[0].status)
	}
}

// poll is a request of the token endpoint, as the access log has it.
type poll struct {
	at     time.Time // when it was answered
	status int
}

// awaitPolls waits until the polls so far are enough.
func (w *world) awaitPolls(t *testing.T, enough func([]poll) bool) []poll {
	t.Helper()
	for deadline := time.Now().Add(longestFlow); ; time.Sleep(50 * time.Millisecond) {
		var polls []poll
		for _, entry := range w.nodes[0].Log.Entries() {
			var line struct {
				At      float64 `json:"ts"`
				Status  int     `json:"status"`
				Request struct {
					URI string `json:"uri"`
				} `json:"request"`
			}
			if json.Unmarshal([]byte(entry.Line), &line) == nil && strings.HasSuffix(line.Request.URI, "/token") {
				polls = append(polls, poll{time.UnixMicro(int64(line.At * 1e6)), line.Status})
			}
		}
		if enough(polls) {
			return polls
		}
		if time.Now().After(deadline) {
			t.Fatalf("waiting for a poll; there were %v", polls)
		}
	}
}

// run runs a program whose output is what the client says.
func run(t *testing.T, say io.Writer, program *exec.Cmd) error {
	t.Helper()
	program.Stdout, program.Stderr = say, say
	if err := program.Run(); err != nil {
		return fmt.Errorf("%s: %w", program.Path, err)
	}
	return nil
}

// script is one of the scripts in js, with what it imports.
func script(t *testing.T, w *world, name string) *exec.Cmd {
	folder := t.TempDir()
	for _, from := range []string{"js/" + name, "../oauth/js/package.json", "../oauth/js/package-lock.json"} {
		text, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(filepath.Join(folder, filepath.Base(from)), text, 0o600)
		}
		if err != nil {
			t.Error(err)
		}
	}
	install := exec.CommandContext(t.Context(), "npm", "ci", "--no-audit", "--no-fund", "--no-progress", "--ignore-scripts")
	install.Dir = folder
	if out, err := install.CombinedOutput(); err != nil {
		t.Errorf("npm ci: %v\n%s", err, out)
	}
	var args []string
	version, err := exec.CommandContext(t.Context(), "node", "--version").Output()
	if err != nil {
		t.Error(err)
	}
	major, _, _ := strings.Cut(strings.TrimPrefix(string(version), "v"), ".")
	if n, err := strconv.Atoi(major); err == nil && n < 20 {
		args = append(args, "--experimental-global-webcrypto")
	}
	node := exec.CommandContext(t.Context(), "node", append(args, name)...)
	node.Dir, node.Env = folder, append(os.Environ(), "ISSUER="+w.issuer)
	return node
}

// oidcAgent is the agent of Debian, which authenticates as a public client by Basic
// with an empty password.
func oidcAgent(t *testing.T, w *world, say io.Writer) error {
	folder := t.TempDir()
	env := append(os.Environ(), "HOME="+folder, "OIDC_CONFIG_DIR="+folder, "XDG_CONFIG_HOME="+folder, "OIDC_ENCRYPTION_PW=of this test only")
	const session = `eval "$(oidc-agent)" >/dev/null; oidc-gen "$@"; status=$?; oidc-agent --kill >/dev/null; exit $status`
	gen := exec.CommandContext(t.Context(), "sh", "-c", session, "oidc-gen", "tests",
		"--issuer="+w.issuer,
		"--client-id=cli", "--client-secret=", "--redirect-uri=http://localhost:4242", "--scope=openid offline_access",
		"--flow=device", "--no-url-call", "--pw-env", "--prompt=none", "--confirm-default", "--manual")
	gen.Dir, gen.Env = folder, env
	return run(t, say, gen)
}

// xOAuth2 waits for the interval and not for the answers' jitter.
func xOAuth2(t *testing.T, w *world, say io.Writer) error {
	config := oauth2.Config{
		ClientID: "cli", Scopes: []string{"openid"},
		Endpoint: oauth2.Endpoint{DeviceAuthURL: w.issuer + "/device_authorization", TokenURL: w.issuer + "/token", AuthStyle: oauth2.AuthStyleInParams},
	}
	device, err := config.DeviceAuth(t.Context())
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintln(say, device.VerificationURIComplete)
	tokens, err := config.DeviceAccessToken(t.Context(), device)
	if err == nil && !tokens.Valid() {
		return fmt.Errorf("the token is not valid")
	}
	return err
}

// headstrong polls every three seconds, whatever it is told.
func headstrong(t *testing.T, w *world, say io.Writer) error {
	p := w.program(t, 0, "127.0.0.1", "cli")
	f := p.begin()
	_, _ = fmt.Fprintln(say, f.complete)
	ticker := time.NewTicker(3 * time.Second)
	defer ticker.Stop()
	for range ticker.C {
		switch a := p.poll(f); {
		case a.status == http.StatusOK:
			return nil
		case a.text("error") != "authorization_pending" && a.text("error") != "slow_down":
			return fmt.Errorf("%d %v", a.status, a.fields)
		}
	}
	return nil
}
