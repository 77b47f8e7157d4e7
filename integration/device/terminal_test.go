package device_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/integration/gateway"
)

// terminal is one of tmux, with a shell in which gate is installed.
type terminal struct {
	t      *testing.T
	folder string // the shell's working directory and HOME
	socket string
	lines  int // command lines entered so far
}

// The size of the screen to begin with; see [terminal.resize].
const (
	columns = 100
	rows    = 60
)

// resize gives the screen another size, at most the first one.
func (x *terminal) resize(columns, rows int) {
	x.t.Helper()
	x.tmux("resize-window", "-x", fmt.Sprint(columns), "-y", fmt.Sprint(rows))
}

// openTerminal opens one that ends with the test, and at the latest after three
// minutes. Without tmux the test is skipped, or fails when the environment
// variable CI is set.
func openTerminal(t *testing.T) *terminal {
	t.Helper()
	if _, err := exec.LookPath("tmux"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("no terminal to test with: install the package tmux")
		}
		t.Skip("no terminal to test with: install the package tmux")
	}
	gate, err := buildGate()
	if err != nil {
		t.Fatal(err)
	}
	// Not t.TempDir: its path is too long for a socket's.
	folder, err := os.MkdirTemp("", "term")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	// The browser that `gate login --browser` opens is one that notes where.
	xdgOpen := "#!/bin/sh\nprintf '%s\\n' \"$1\" >" + filepath.Join(folder, "opened.new") +
		"\nmv " + filepath.Join(folder, "opened.new") + " " + filepath.Join(folder, "opened") + "\n"
	if err := os.WriteFile(filepath.Join(folder, "xdg-open"), []byte(xdgOpen), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	x := &terminal{t: t, folder: folder, socket: filepath.Join(folder, "tmux")}
	x.tmux("-f", os.DevNull, "new-session", "-d", "-x", fmt.Sprint(columns), "-y", fmt.Sprint(rows),
		"env", "-i", "HOME="+folder, "TERM=screen-256color", "LC_ALL=C.UTF-8", "PS1=$ ",
		"PATH="+folder+":"+filepath.Dir(gate)+":/usr/bin:/bin", "timeout", "--foreground", "180", "/bin/sh")
	t.Cleanup(func() { _ = x.command("kill-server").Run() })
	x.await("$ ")
	return x
}

// buildGate builds cmd/gate as it is shipped: static.
var buildGate = sync.OnceValues(func() (string, error) {
	path := filepath.Join(gateway.Root(), "bin", "under-test", "gate")
	build := exec.Command("go", "build", "-o", path, "./cmd/gate")
	build.Dir = gateway.Root()
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building gate: %w\n%s", err, out)
	}
	return path, nil
})

func (x *terminal) command(args ...string) *exec.Cmd {
	cmd := exec.Command("tmux", append([]string{"-u", "-S", x.socket}, args...)...)
	cmd.Dir = x.folder
	return cmd
}

func (x *terminal) tmux(args ...string) string {
	x.t.Helper()
	out, err := x.command(args...).CombinedOutput()
	if err != nil {
		x.t.Fatalf("tmux %s: %v\n%s", args, err, out)
	}
	return string(out)
}

// screen is what a person sees, wrapped lines joined.
func (x *terminal) screen() string {
	x.t.Helper()
	return x.tmux("capture-pane", "-p", "-J")
}

// enter clears the screen and types a command line.
func (x *terminal) enter(line string) {
	x.t.Helper()
	x.lines++
	x.tmux("send-keys", "-l", fmt.Sprintf("clear; %s; echo \"line %d: exit $?.\"", line, x.lines))
	x.tmux("send-keys", "Enter")
}

// await waits until the screen shows a text, and returns it.
func (x *terminal) await(text string) string {
	x.t.Helper()
	screen := ""
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if screen = x.screen(); strings.Contains(screen, text) {
			return screen
		}
	}
	x.t.Fatalf("the terminal does not say %q:\n%s", text, screen)
	return ""
}

// run enters a command line, and returns the screen when it has ended with the
// given exit code.
func (x *terminal) run(exit int, line string) string {
	x.t.Helper()
	x.enter(line)
	return x.ended(exit)
}

// ended waits for the end of the latest command line.
func (x *terminal) ended(exit int) string {
	x.t.Helper()
	exitLine := regexp.MustCompile(fmt.Sprintf(`(?m)^line %d: exit (\d+)\.`, x.lines))
	screen := ""
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		screen = x.screen()
		if code := exitLine.FindStringSubmatch(screen); code != nil {
			if code[1] != fmt.Sprint(exit) {
				x.t.Fatalf("exit code %s, want %d:\n%s", code[1], exit, screen)
			}
			return screen
		}
	}
	x.t.Fatalf("the command has not ended:\n%s", screen)
	return ""
}

// opened is the address that gate has opened in a browser.
func (x *terminal) opened() string {
	x.t.Helper()
	path := filepath.Join(x.folder, "opened")
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if text, err := os.ReadFile(path); err == nil {
			_ = os.Remove(path)
			return strings.TrimSpace(string(text))
		}
	}
	x.t.Fatal("gate opened no browser")
	return ""
}

// file reads one of the shell's files, without the last line's end.
func (x *terminal) file(name string) string {
	x.t.Helper()
	text, err := os.ReadFile(filepath.Join(x.folder, name))
	if err != nil {
		x.t.Fatal(err)
	}
	return strings.TrimSuffix(string(text), "\n")
}
