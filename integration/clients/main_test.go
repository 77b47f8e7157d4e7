package clients_test

import (
	"fmt"
	"os"
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
