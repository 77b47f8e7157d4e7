package client

import (
	"strings"
	"testing"
)

// https://github.com/supabase/auth/issues/2298 and pocket-id#952: editors have schemes
// without a dot (RFC 8252, section 8.4).
func TestNativeScheme(t *testing.T) {
	secret := []Secret{NewSecret("a secret of the application")}
	for name, c := range map[string]struct {
		client Client
		fault  string
	}{
		"public":                   {Client{Public: true, NativeSchemes: []string{"cursor", "myapp"}, RedirectURIs: []string{"cursor://app.test/oauth/callback", "myapp:/cb"}}, ""},
		"beside a web URI":         {Client{Secrets: secret, NativeSchemes: []string{"cursor"}, RedirectURIs: []string{"https://app.test/cb", "cursor://app.test/cb"}}, ""},
		"with a dot, beside a web": {Client{Secrets: secret, RedirectURIs: []string{"com.example.app:/cb", "https://app.test/cb"}}, ""},
		"not said":                 {Client{Public: true, RedirectURIs: []string{"cursor://app.test/cb"}}, "native_scheme cursor"},
		"another":                  {Client{Public: true, NativeSchemes: []string{"myapp"}, RedirectURIs: []string{"cursor://app.test/cb"}}, "native_scheme cursor"},
		"confidential alone":       {Client{Secrets: secret, NativeSchemes: []string{"cursor"}, RedirectURIs: []string{"cursor://app.test/cb"}}, "can keep no secret"},
		"after a sign-out":         {Client{Public: true, RedirectURIs: []string{"https://app.test/cb"}, PostLogoutRedirectURIs: []string{"cursor://x"}}, "native_scheme cursor"},
		"upper case":               {Client{Public: true, NativeSchemes: []string{"Cursor"}}, "lower case"},
		"none":                     {Client{Public: true, NativeSchemes: []string{""}}, "lower case"},
		"https":                    {Client{Public: true, NativeSchemes: []string{"https"}}, "cannot be an app's"},
	} {
		c.client.ID = "x"
		err := c.client.Validate()
		if c.fault == "" && err != nil || c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)) {
			t.Errorf("%s: %v, want %q", name, err, c.fault)
		}
	}
	for _, scheme := range []string{"javascript", "data", "file", "blob", "intent", "vbscript", "about", "view-source"} {
		c := Client{ID: "x", Public: true, NativeSchemes: []string{scheme}, RedirectURIs: []string{scheme + "://app.test/cb"}}
		if c.Validate() == nil {
			t.Errorf("%s loads", scheme)
		}
		c = Client{ID: "x", Public: true, RedirectURIs: []string{scheme + "://app.test/cb"}}
		if c.Validate() == nil {
			t.Errorf("%s loads as a redirect URI", scheme)
		}
	}
}

// https://github.com/cloudflare/workers-oauth-provider/issues/35 and backstage#33508:
// the port of localhost is a native app's to choose (RFC 9700, section 2.1; RFC 8252,
// section 7.3), if the registration leaves it open. zitadel/oidc#875: after a sign-out
// too.
func TestLocalhost_AnyPort(t *testing.T) {
	registered := []string{"http://localhost/callback", "http://localhost:8080/fixed"}
	public := Client{Public: true, RedirectURIs: registered, PostLogoutRedirectURIs: registered}
	confidential := Client{RedirectURIs: registered, PostLogoutRedirectURIs: registered}
	for uri, want := range map[string]bool{
		"http://localhost/callback": true, "http://localhost:51004/callback": true, "http://localhost:8080/fixed": true,
		"http://localhost:8081/fixed": false, "http://localhost:51004/other": false, "http://localhost:51004/callback?x": false,
		"http://localhost:51004/callback#x": false, "https://localhost:51004/callback": false, "http://LOCALHOST:51004/callback": false,
		"http://localhost.evil.test:51004/callback": false, "http://localhost:51004@evil.test/callback": false, "http://x@localhost:51004/callback": false,
		"http://localhost:x/callback": false, "http://localhost:/callback": false, "http://127.0.0.1:51004/callback": false, "http://localhost:51004/callback/": false,
	} {
		if public.AllowsRedirect(uri) != want || public.AllowsPostLogoutRedirect(uri) != want {
			t.Errorf("%s: %t, after a sign-out %t", uri, public.AllowsRedirect(uri), public.AllowsPostLogoutRedirect(uri))
		}
		if exact := uri == registered[0] || uri == registered[1]; confidential.AllowsRedirect(uri) != exact {
			t.Errorf("a confidential client, %s: %t", uri, !exact)
		}
	}
	origins := NewOrigins(map[string]*Client{"x": &public})
	if !origins.Allow("http://localhost:51004") || origins.Allow("http://localhost:51004/") || origins.Allow("https://localhost:51004") || origins.Allow("http://127.0.0.1:1") {
		t.Error("CORS is not for localhost at any port")
	}
	if NewOrigins(map[string]*Client{"x": &confidential}).Allow("http://localhost:51004") {
		t.Error("CORS for a confidential client's localhost at any port")
	}
	loopback := Client{RedirectURIs: []string{"http://127.0.0.1/cb"}, PostLogoutRedirectURIs: []string{"http://127.0.0.1/bye"}}
	if !loopback.AllowsPostLogoutRedirect("http://127.0.0.1:4711/bye") || loopback.AllowsPostLogoutRedirect("http://127.0.0.1:4711/cb") {
		t.Error("a loopback address after a sign-out has not any port")
	}
}

// RFC 8252, section 8.6.
func TestIsAssured(t *testing.T) {
	for uri, want := range map[string][2]bool{ // of a public client, of a confidential one
		"https://app.test/cb": {true, true}, "http://app.test/cb": {true, true}, "http://127.0.0.1:4711/cb": {false, true}, "http://[::1]/cb": {false, true},
		"http://localhost:/cb": {false, true}, "https://localhost/cb": {false, true}, "https://127.0.0.2/cb": {false, true}, "https://LOCALHOST./cb": {false, true},
		"http://localhost:1/cb": {false, true}, "com.example.app:/cb": {false, false}, "cursor://app.test/cb": {false, false},
	} {
		if public, confidential := (&Client{Public: true}).IsAssured(uri), new(Client).IsAssured(uri); public != want[0] || confidential != want[1] {
			t.Errorf("%s: %t, %t", uri, public, confidential)
		}
	}
}
