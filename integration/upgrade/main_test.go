package upgrade_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/gatehouse-auth/gatehouse/integration/gateway"
)

// before is the commit whose gateway is upgraded from.
const before = "c3942a00802a0e4fe8e1543e8b90212cd4d4d5fb"

// TestMain builds both gateways before the first test's clock starts.
func TestMain(m *testing.M) {
	for _, build := range []func() (string, error){
		gateway.Build, func() (string, error) { return gateway.BuildOf(before) },
	} {
		if _, err := build(); err != nil {
			_, _ = fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}
