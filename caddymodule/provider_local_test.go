package caddymodule

import (
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// The advice is a command that can be typed, whatever the program is called.
func TestLocal_AdviceNamesTheProgram(t *testing.T) {
	const users = "{\n\tgatehouse {\n\t\tprovider local {\n%\n\t\t}\n\t}\n}\nhttp://localhost {\n\tgatehouse\n}\n"
	for _, line := range []string{"user alice wonderland", "user alice", ""} {
		for binary, want := range map[string]string{"": "caddy hash-password", "gatehouse": "gatehouse hash-password"} {
			before := caddy.CustomBinaryName
			caddy.CustomBinaryName = binary
			_, err := adapt(strings.Replace(users, "%", line, 1))
			caddy.CustomBinaryName = before
			if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "wonderland") {
				t.Errorf("%q in the binary %q: %v", line, binary, err)
			}
		}
	}
}
