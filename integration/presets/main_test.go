package presets

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
	os.Exit(m.Run())
}
