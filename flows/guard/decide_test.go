package guard

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// Browsers ask nobody before they open a WebSocket, and send the visitor's cookie
// (RFC 6455, section 10.2).
func TestRules_PagesOfOthersOpenNoWebSockets(t *testing.T) {
	cookie, token := &identity.Identity{}, &identity.Identity{TokenID: "x"}
	password := &identity.Identity{TokenID: "x", TokenScheme: "basic"}
	for name, c := range map[string]struct {
		scheme, upgrade string
		origins         []string
		id              *identity.Identity
		want            bool
	}{
		"a program":                       {"https", "websocket", nil, cookie, false},
		"the site's own":                  {"https", "websocket", []string{"https://app.example.com"}, cookie, false},
		"another port":                    {"https", "websocket", []string{"https://APP.example.com:8443"}, cookie, false},
		"plain http at https":             {"https", "websocket", []string{"http://app.example.com"}, cookie, true},
		"plain http":                      {"http", "websocket", []string{"http://app.example.com"}, cookie, false},
		"another host":                    {"https", "websocket", []string{"https://evil.example.com"}, cookie, true},
		"no origin that can be read":      {"https", "websocket", []string{"null"}, cookie, true},
		"one of two":                      {"https", "websocket", []string{"https://app.example.com", "https://evil.example.com"}, cookie, true},
		"a token, which no page can send": {"https", "websocket", []string{"https://evil.example.com"}, token, false},
		"a token as a cached password":    {"https", "websocket", []string{"https://evil.example.com"}, password, true},
		"the same, by the site's own":     {"https", "websocket", []string{"https://app.example.com"}, password, false},
		"the same, by a program":          {"https", "websocket", nil, password, false},
		"no WebSocket":                    {"https", "", []string{"https://evil.example.com"}, cookie, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "https://app.example.com/", nil)
			if c.upgrade != "" {
				r.Header.Set("Upgrade", c.upgrade)
			}
			r.Header["Origin"] = c.origins
			got := new(Rules).isForeign(&web.Request{Request: r, Scheme: c.scheme, Host: r.Host}, c.id)
			if got != c.want {
				t.Errorf("isForeign() = %v, want %v", got, c.want)
			}
		})
	}
}
