package readings_test

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

// global is a gatehouse with one user, whose password is "wonderland".
const global = `{
	gatehouse {
		provider local {
			user alice $2a$04$gmZ5.3bAGGjxP80HfiMEk.a12ft1q8FrYQPgo7OjQQIEIriYNy1X.
		}
	}
}
`
