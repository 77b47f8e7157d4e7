package mcp_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/gatehouse-auth/gatehouse/integration/gateway"
)

// TestMain builds the gateway before the first test's clock starts.
func TestMain(m *testing.M) {
	if _, err := gateway.Build(); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(modulesFolder())
	os.Exit(code)
}

// missing skips a test on a machine that lacks something, but not where the whole
// suite is to run.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(what)
	}
	t.Skip(what)
}

var installing sync.Mutex //nolint:gochecknoglobals // the folder is the process's

// modules installs the clients in js and what they import, once, and returns where;
// TestMain removes it.
func modules(t *testing.T) string {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			missing(t, "the clients need "+program+": apt-get install nodejs npm")
		}
	}
	installing.Lock()
	defer installing.Unlock()
	folder := modulesFolder()
	if _, err := os.Stat(folder); err == nil {
		return folder
	}
	if err := os.CopyFS(folder, os.DirFS("js")); err != nil {
		t.Fatal(err)
	}
	install := exec.Command("npm", "ci", "--no-audit", "--no-fund", "--no-progress", "--ignore-scripts", "--prefer-offline")
	install.Dir = folder
	if out, err := install.CombinedOutput(); err != nil {
		_ = os.RemoveAll(folder)
		missing(t, fmt.Sprintf("npm ci: %v\n%s", err, out))
	}
	return folder
}

// modulesFolder is this process's.
func modulesFolder() string {
	return filepath.Join(os.TempDir(), fmt.Sprintf("mcp-js-%d", os.Getpid()))
}
