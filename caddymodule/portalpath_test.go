package caddymodule

import (
	"net/http"
	"strings"
	"testing"
)

// RFC 8414, section 3.1: the metadata of an issuer with a path is found outside of the
// path, where the portal's own matcher does not lead; what else is there is the site's.
func TestPortal_BelowAPathHasItsMetadata(t *testing.T) {
	for name, portal := range map[string]string{
		"a path":          "gatehouse_portal /auth/v1/*",
		"a named matcher": "@portal path /auth/v1/*\n\tgatehouse_portal @portal",
		"no matcher":      "gatehouse_portal",
	} {
		r, err := start(t, config(t, t.TempDir(), "issuer http://auth.example.com/auth/v1\n"+aliceLocal, "http://auth.example.com {\n\t"+portal+"\n\trespond site\n}"))
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range []string{"/.well-known/oauth-authorization-server/auth/v1", "/.well-known/openid-configuration/auth/v1", "/auth/v1/.well-known/openid-configuration"} {
			if got := r.do(get("http://auth.example.com" + at)); got.Code != http.StatusOK || !strings.Contains(got.Body.String(), `"issuer":"http://auth.example.com/auth/v1"`) {
				t.Errorf("%s, %s: %d %s", name, at, got.Code, got.Body)
			}
		}
		for _, at := range []string{"/", "/.well-known/oauth-authorization-server", "/.well-known/security.txt"} {
			if got := r.do(get("http://auth.example.com" + at)); (got.Body.String() == "site") == (name == "no matcher") {
				t.Errorf("%s, %s: %d %s", name, at, got.Code, got.Body)
			}
		}
		r.stop()
	}
}
