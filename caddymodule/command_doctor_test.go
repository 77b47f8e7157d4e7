package caddymodule

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Who sets an issuer and forgets its portal sends people to where nobody answers.
func TestDoctor_TellsOfAPortalElsewhere(t *testing.T) {
	const elsewhere = "no site here has gatehouse_portal"
	lines := "issuer https://auth.example.com\n" + aliceLocal
	for name, test := range map[string]struct {
		sites string
		want  bool
	}{
		"forgotten": {"https://app.example.com {\n\tgatehouse\n}\n", true},
		"here":      {"https://app.example.com {\n\tgatehouse\n}\nhttps://auth.example.com {\n\tgatehouse_portal\n}\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "caddy.json")
			if err := os.WriteFile(file, config(t, t.TempDir(), lines, test.sites), 0o600); err != nil {
				t.Fatal(err)
			}
			stdout, _, err := command("doctor", "--config", file)
			if err != nil || !strings.Contains(stdout, "status       ok") {
				t.Fatalf("doctor: %v\n%s", err, stdout)
			}
			if got := strings.Contains(stdout, elsewhere); got != test.want {
				t.Errorf("it says so: %t, want %t\n%s", got, test.want, stdout)
			}
		})
	}
}
