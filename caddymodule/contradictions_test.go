package caddymodule

import (
	"strings"
	"testing"
)

// Options that undo each other are refused where they stand, in either order.
func TestGuard_Contradictions(t *testing.T) {
	for _, tt := range []struct{ first, second, want string }{
		{"app_credentials basic", "require max_age 10m", "of whom require knows nothing"},
		{"app_credentials header X-Api-Key", "require scope files:write", "of whom require knows nothing"},
		{"app_credentials basic", "optional", "app_credentials has no effect with optional"},
		{"optional", "require max_age 10m", "require has to ask people again"},
		{"optional", "provider_token sso", "provider_token has to send people to the provider"},
		{"app_credentials basic", "provider_token sso", "both need Authorization"},
	} {
		for _, lines := range [][2]string{{tt.first, tt.second}, {tt.second, tt.first}} {
			_, err := adapt("{\n\tgatehouse {\n" + aliceLocal + "provider sso oidc https://sso.example.com {\n\tclient_id x\n\tclient_secret {env.HOME}\n\tstore_tokens\n}\n}\n}\n" +
				"app.example.com {\n\tgatehouse {\n\t\t" + lines[0] + "\n\t\t" + lines[1] + "\n\t}\n}\n")
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "Caddyfile:20") {
				t.Errorf("%v: %v", lines, err)
			}
		}
	}
}
