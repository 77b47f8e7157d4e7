package gatehouse_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The commands of README.md.
const (
	commandClone      = "git clone https://github.com/gatehouse-auth/gatehouse && cd gatehouse"
	commandQuickstart = "go run ./cmd/gatehouse run --config caddyfiles/quickstart.Caddyfile"
	commandBuild      = "make build"
	commandDoctor     = "bin/gatehouse doctor --config Caddyfile"
	commandRun        = "bin/gatehouse run --config Caddyfile"
	commandXcaddy     = "xcaddy build --with github.com/gatehouse-auth/gatehouse"
	commandTest       = "make test"
	commandGate       = "go install github.com/gatehouse-auth/gatehouse/cmd/gate@latest"
	commandGateLogin  = "gate login https://app.example.com"
	commandGateCurl   = "gate curl https://app.example.com/api/report"
)

// TestREADME_QuickstartRunsInAFreshClone types README's first two commands, as
// far as the sign-in page.
func TestREADME_QuickstartRunsInAFreshClone(t *testing.T) {
	for _, port := range []string{"8080", "8081", "2019"} {
		needPort(t, port)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	clone := strings.ReplaceAll(commandClone, "https://github.com/gatehouse-auth", "file://"+filepath.Dir(here))
	clone = strings.ReplaceAll(clone, "/gatehouse &&", "/"+filepath.Base(here)+" gatehouse &&")

	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	s := startShell(t, ctx, folder, clone+"\n"+commandQuickstart)
	page, err := awaitPage(ctx, "http://localhost:8080/reports?year=2026", s.ended)
	s.end()
	if err != nil {
		t.Fatalf("%v\n%s", err, s.log.String())
	}
	if !strings.Contains(page, "/.gatehouse/login?return_to=%2Freports%3Fyear%3D2026") {
		t.Errorf("the site does not ask to sign in but leads to %q", page)
	}
}

// shell is one that runs commands of README.
type shell struct {
	cmd   *exec.Cmd
	log   strings.Builder // complete when it has ended
	ended chan struct{}
}

// startShell has a shell type commands in a folder, which gets their state too.
func startShell(t *testing.T, ctx context.Context, folder, commands string, env ...string) *shell {
	t.Helper()
	s := &shell{cmd: exec.CommandContext(ctx, "/bin/sh", "-ec", commands), ended: make(chan struct{})}
	s.cmd.Dir = folder
	s.cmd.Env = append(append(os.Environ(), "XDG_DATA_HOME="+folder+"/data", "XDG_CONFIG_HOME="+folder+"/config"), env...)
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	// The gateway is a process of its own, below go run; the group has all.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(s.ended)
		_ = s.cmd.Wait()
	}()
	return s
}

// end ends the shell and what it runs.
func (s *shell) end() {
	_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGTERM)
	<-s.ended
}

// awaitPage asks for an address until something answers, and returns where the
// answer leads. An ended process answers no more.
func awaitPage(ctx context.Context, address string, ended <-chan struct{}) (string, error) {
	client := &http.Client{
		Timeout:       5 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer client.CloseIdleConnections()
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return "", err
		}
		r.Header.Set("Accept", "text/html")
		if resp, err := client.Do(r); err == nil {
			_ = resp.Body.Close()
			return resp.Header.Get("Location"), nil
		}
		select {
		case <-ended:
			return "", errors.New("the command has ended")
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func needPort(t *testing.T, port string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err == nil {
		_ = listener.Close()
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("port %s is taken: %v", port, err)
	}
	t.Skipf("port %s is taken: %v", port, err)
}

// TestREADME_MakesAreThere: make test runs this test, so this test cannot run it,
// and the program that make build makes is built for tests already; it looks
// whether make could, and whether the next commands find what it makes.
func TestREADME_MakesAreThere(t *testing.T) {
	for command, want := range map[string]string{commandTest: "", commandBuild: "/bin/gatehouse ./cmd/gatehouse"} {
		args := append(strings.Fields(command)[1:], "--dry-run")
		if out, err := exec.CommandContext(t.Context(), "make", args...).CombinedOutput(); err != nil || !strings.Contains(string(out), want) {
			t.Errorf("make %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// TestREADME_OwnSiteRuns types README's commands for its first Caddyfile, with an
// address of this machine.
func TestREADME_OwnSiteRuns(t *testing.T) {
	for _, port := range []string{"8080", "2019"} {
		needPort(t, port)
	}
	gatehouse := build(t)
	folder := t.TempDir()
	caddyfile := strings.Replace(fenced(t, "caddyfile")[0], "app.example.com {", "http://localhost:8080 {", 1)
	for _, err := range []error{
		os.WriteFile(filepath.Join(folder, "Caddyfile"), []byte(caddyfile), 0o600),
		os.Mkdir(filepath.Join(folder, "bin"), 0o700),
		os.Symlink(gatehouse, filepath.Join(folder, "bin", "gatehouse")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	// The doctor says that the provider is out of reach here, and fails.
	s := startShell(t, ctx, folder, "! "+commandDoctor+"\n"+commandRun, values(t, caddyfile)...)
	page, err := awaitPage(ctx, "http://localhost:8080/", s.ended)
	s.end()
	if err != nil {
		t.Fatalf("%v\n%s", err, s.log.String())
	}
	if !strings.Contains(page, "/.gatehouse/login") {
		t.Errorf("the site does not ask to sign in but leads to %q", page)
	}
}

// TestREADME_GateInstallsAndSaysWhatIsWrong types README's commands of gate, with
// this checkout for the published one and a closed port for the site. What they
// do at a real site is tried in integration/device.
func TestREADME_GateInstallsAndSaysWhatIsWrong(t *testing.T) {
	bin := t.TempDir()
	install := exec.CommandContext(t.Context(), "go", strings.Fields(strings.ReplaceAll(commandGate, "github.com/gatehouse-auth/gatehouse/cmd/gate@latest", "./cmd/gate"))[1:]...)
	install.Env = append(os.Environ(), "GOBIN="+bin)
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for command, code := range map[string]int{commandGateLogin: 5, commandGateCurl: 5} {
		args := strings.Fields(strings.ReplaceAll(command, "https://app.example.com", "https://127.0.0.1:1"))
		gate := exec.CommandContext(t.Context(), filepath.Join(bin, args[0]), args[1:]...)
		gate.Env = append(os.Environ(), "HOME="+bin, "XDG_CONFIG_HOME="+bin)
		out, err := gate.CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != code || len(out) == 0 {
			t.Errorf("%s: %v, want exit code %d and a word why\n%s", command, err, code, out)
		}
	}
}
