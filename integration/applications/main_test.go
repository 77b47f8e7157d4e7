package applications_test

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/gatehouse-auth/gatehouse/integration/gateway"
)

// TestMain builds the gateway before the first test's clock starts.
func TestMain(m *testing.M) {
	if _, err := gateway.Build(); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	status := m.Run()
	_ = os.RemoveAll(modulesFolder())
	os.Exit(status)
}

// needs skips a test on a machine that lacks a program, but not where the whole suite is
// to run.
func needs(t *testing.T, program, install string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err == nil {
		return path
	}
	if os.Getenv("CI") != "" {
		t.Fatal("apt-get install " + install)
	}
	t.Skip("apt-get install " + install)
	return ""
}
