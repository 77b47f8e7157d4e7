package gateway_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/integration/gateway"
)

// verdict records what a test would have been told.
type verdict struct {
	testing.TB
	errors []string
}

func (v *verdict) Helper() {}

func (v *verdict) Errorf(format string, args ...any) {
	v.errors = append(v.errors, fmt.Sprintf(format, args...))
}

func TestSecretsAreFoundInAnySpellingAndNotRepeated(t *testing.T) {
	for name, line := range map[string]string{
		"plain":   "uri=/callback?code=hunter/two-long",
		"escaped": "uri=/callback?code=hunter%2Ftwo-long",
	} {
		t.Run(name, func(t *testing.T) {
			var secrets gateway.Secrets
			secrets.Learn("code", "hunter/two-long")
			v := &verdict{TB: t}
			secrets.Check(v, "first line\n"+line+"\nlast line")
			if len(v.errors) != 1 {
				t.Fatalf("got %d failures, want 1: %q", len(v.errors), v.errors)
			}
			if strings.Contains(v.errors[0], "hunter") {
				t.Errorf("the failure repeats the secret: %s", v.errors[0])
			}
		})
	}
}
