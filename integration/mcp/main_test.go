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
	for _, name := range []string{"js", "suite"} {
		_ = os.RemoveAll(modulesFolder(name))
	}
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

// soak skips what takes long, but in make soak.
func soak(t *testing.T) {
	t.Helper()
	if os.Getenv("GATEHOUSE_TEST_SOAK") == "" {
		t.Skip("it takes long: make soak")
	}
}

var installing sync.Mutex //nolint:gochecknoglobals // the folders are the process's

// modules installs a folder and what it imports, once, and returns where; TestMain removes
// it.
func modules(t *testing.T, name string) string {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			missing(t, "the clients need "+program+": apt-get install nodejs npm")
		}
	}
	installing.Lock()
	defer installing.Unlock()
	folder := modulesFolder(name)
	if _, err := os.Stat(folder); err == nil {
		return folder
	}
	if err := os.CopyFS(folder, os.DirFS(name)); err != nil {
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
func modulesFolder(name string) string {
	return filepath.Join(os.TempDir(), fmt.Sprintf("mcp-%s-%d", name, os.Getpid()))
}
