package gateway

import (
	"os"
	"testing"
)

// EnvSoak names the environment variable by which make soak has the tests run that take
// long and rarely find anything.
const EnvSoak = "GATEHOUSE_TEST_SOAK"

// Soaks reports whether the tests run for make soak.
func Soaks() bool { return os.Getenv(EnvSoak) != "" }

// Soak skips a test but for make soak.
func Soak(t testing.TB) {
	t.Helper()
	if !Soaks() {
		t.Skip("make soak runs it")
	}
}
