package main

import (
	"bufio"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// process prepares gate as a process of its own, with the real clock.
func (w *world) process(args ...string) *exec.Cmd {
	w.t.Helper()
	self, err := os.Executable()
	if err != nil {
		w.t.Fatal(err)
	}
	cmd := exec.CommandContext(w.t.Context(), self, args...)
	home := filepath.Dir(w.folder)
	cmd.Env = []string{"GATE_TEST_RUN=1", "HOME=" + home, "XDG_CONFIG_HOME=" + home, "PATH=" + os.Getenv("PATH")}
	return cmd
}

func TestToken_ParallelProcessesRefreshOnce(t *testing.T) {
	if !private {
		t.Skip("XDG_CONFIG_HOME is of Unix")
	}
	w := newWorld(t, gateClient())
	w.login(w.siteURL("one"))
	w.expireTokens(w.issuer())
	before := w.count("refresh_token")
	var mu sync.Mutex
	printed := map[string]int{}
	var all sync.WaitGroup
	for range 12 {
		cmd := w.process("token", "--for", w.siteURL("one"))
		all.Go(func() {
			out, err := cmd.Output()
			if err != nil {
				t.Errorf("%v: %s", err, out)
			}
			mu.Lock()
			defer mu.Unlock()
			printed[string(out)]++
		})
	}
	all.Wait()
	if n := w.count("refresh_token") - before; n != 1 {
		t.Errorf("%d refreshes", n)
	}
	if len(printed) != 1 {
		t.Errorf("%d different tokens", len(printed))
	}
}

func TestLogin_CtrlC(t *testing.T) {
	if !private {
		t.Skip("signals are of Unix")
	}
	w := newWorld(t, gateClient())
	cmd := w.process("login", w.siteURL("one"))
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "waiting for approval") {
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	var last string
	for lines.Scan() {
		last = lines.Text()
	}
	_ = cmd.Wait()
	if cmd.ProcessState.ExitCode() != exitInterrupted || last != "gate: interrupted" {
		t.Errorf("ended with %d: %s", cmd.ProcessState.ExitCode(), last)
	}
}

// expireTokens drops the stored access tokens.
func (w *world) expireTokens(issuer string) {
	w.t.Helper()
	s := &store{folder: w.folder, sleep: sleep}
	l, err := s.load(issuer)
	if err != nil {
		w.t.Fatal(err)
	}
	l.Access = nil
	if err := s.save(l); err != nil {
		w.t.Fatal(err)
	}
}

// The answer to a refresh is lost: the issuer has rotated, gate has not heard
// of it. The next try gets the same successor.
func TestToken_LostAnswerIsAskedForAgain(t *testing.T) {
	w := newWorld(t, gateClient())
	w.login(w.siteURL("one"))
	var lost atomic.Int32
	w.intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/token" || lost.Add(1) > 2 {
			return false
		}
		w.gateway.ServePortal(discard{http.Header{}}, asRequest(r))
		panic(http.ErrAbortHandler)
	})
	w.gate("token", "--for", w.siteURL("two")).want(exitDone)
	if n := lost.Load(); n != 3 {
		t.Errorf("%d tries", n)
	}
	w.clock.advance(time.Hour)
	w.gate("token").want(exitDone)
}

// discard is an answer that nobody gets.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

func TestToken_IssuerDown(t *testing.T) {
	w := newWorld(t, gateClient())
	w.login(w.siteURL("one"))
	held := w.gate("token").stdout
	w.intercept(func(rw http.ResponseWriter, _ *http.Request) bool {
		rw.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	if r := w.gate("token").want(exitDone); r.stdout != held {
		t.Error("a good token was not used")
	}
	w.gate("token", "--for", w.siteURL("two")).want(exitUnreachable, "503", "Try again")
	w.gate("logout").want(exitUnreachable, "is not revoked and was kept", "gate logout --local")
	w.gate("token").want(exitDone)
	w.gate("logout", "--local").want(exitDone, "stays good until it expires")
	w.gate("token").want(exitSignIn)
}

func TestToken_RevokedElsewhere(t *testing.T) {
	w := newWorld(t, gateClient())
	w.login(w.siteURL("one"))
	l, err := (&store{folder: w.folder}).load(w.issuer())
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{env: w.environment(), http: newBrowserless(w.environment().transport)}
	s, err := g.server(t.Context(), w.issuer())
	if err != nil {
		t.Fatal(err)
	}
	if err := g.revoke(t.Context(), s, l); err != nil {
		t.Fatal(err)
	}
	w.clock.advance(time.Hour)
	r := w.gate("token").want(exitSignIn, "has ended", "gate login "+w.siteURL("one"))
	if strings.Contains(r.stderr, l.RefreshToken) {
		t.Error("the error holds the refresh token")
	}
	w.gate("logout").want(exitDone)
}

func TestToken_SiteOfAnotherPortal(t *testing.T) {
	w := newWorld(t, gateClient())
	w.login(w.siteURL("one"))
	foreign := newWorld(t, gateClient())
	// A site elsewhere names our issuer as its own.
	claim := hostile(t, func(self string, rw http.ResponseWriter, r *http.Request) {
		serveClaim(rw, r, self, map[string]any{"resource": self, "authorization_servers": []string{w.issuer()}})
	})
	w.gate("token", "--for", claim).want(exitRefused, "gives no tokens for "+claim, "site "+claim)
	w.gate("list").want(exitDone, w.siteURL("one"))
	w.gate("token", "--for", foreign.siteURL("one")).want(exitSignIn, "not signed in at "+foreign.issuer())
}
