package main

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// hostile is a server on a socket that answers as it likes; it returns its
// origin.
func hostile(t *testing.T, answer func(self string, rw http.ResponseWriter, r *http.Request)) string {
	t.Helper()
	s := httptest.NewUnstartedServer(nil)
	self := "http://evil.localhost" + port(s)
	s.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { answer(self, rw, r) })
	s.Start()
	t.Cleanup(s.Close)
	return self
}

// serveClaim is a guarded site with the given metadata.
func serveClaim(rw http.ResponseWriter, r *http.Request, self string, metadata map[string]any) {
	if strings.HasPrefix(r.URL.Path, "/.well-known/oauth-protected-resource") {
		_ = json.NewEncoder(rw).Encode(metadata)
		return
	}
	rw.Header().Set("WWW-Authenticate", `Basic realm="x", Bearer realm="a, b=c", resource_metadata="`+self+`/.well-known/oauth-protected-resource"`)
	rw.WriteHeader(http.StatusUnauthorized)
}

func TestLogin_HostileSites(t *testing.T) {
	w := newWorld(t, gateClient())
	challenge := func(value string) func(string, http.ResponseWriter, *http.Request) {
		return func(_ string, rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("WWW-Authenticate", value)
			rw.WriteHeader(http.StatusUnauthorized)
		}
	}
	claim := func(metadata map[string]any) func(string, http.ResponseWriter, *http.Request) {
		return func(self string, rw http.ResponseWriter, r *http.Request) { serveClaim(rw, r, self, metadata) }
	}
	big := strings.Repeat(" ", maxAnswer) + "{}"
	for name, c := range map[string]struct {
		answer func(self string, rw http.ResponseWriter, r *http.Request)
		text   string
	}{
		"no metadata":        {challenge(`Bearer realm="x"`), "does not say where to sign in"},
		"no challenge":       {func(_ string, rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(401) }, "does not say where to sign in"},
		"open site":          {func(_ string, rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte("<html>")) }, "does not say where"},
		"basic's parameter":  {challenge(`Basic resource_metadata="` + w.siteURL("one") + `/.well-known/oauth-protected-resource"`), "does not say where"},
		"foreign metadata":   {challenge(`Bearer resource_metadata="` + w.siteURL("one") + `/.well-known/oauth-protected-resource"`), "points to another site"},
		"http elsewhere":     {challenge(`Bearer resource_metadata="http://app.example.com/"`), "not encrypted"},
		"file":               {challenge(`Bearer resource_metadata="file:///etc/passwd"`), "not an address"},
		"another resource":   {claim(map[string]any{"resource": w.siteURL("one"), "authorization_servers": []string{w.issuer()}}), "describes another resource"},
		"no resource":        {claim(map[string]any{"authorization_servers": []string{w.issuer()}}), "describes another resource"},
		"http issuer":        {withSelf(func(self string) any { return []string{"http://auth.example.com"} }), "not encrypted"},
		"no issuer":          {withSelf(func(string) any { return []string{} }), "no authorization server"},
		"issuer no list":     {withSelf(func(string) any { return "x" }), "not the JSON"},
		"issuer with query":  {withSelf(func(string) any { return []string{w.issuer() + "?x"} }), "no query"},
		"issuer with slash":  {withSelf(func(string) any { return []string{w.issuer() + "/"} }), "another issuer"},
		"issuer upper case":  {withSelf(func(string) any { return []string{strings.Replace(w.issuer(), "portal", "PORTAL", 1)} }), "describes another issuer"},
		"escape sequences":   {withSelf(func(string) any { return []string{"https://\x1b]0;owned\x07.example"} }), "not an address"},
		"metadata not found": {challenge("Bearer resource_metadata=x"), "not an address"},
		"huge": {func(self string, rw http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/" {
				_, _ = rw.Write([]byte(big))
				return
			}
			serveClaim(rw, r, self, nil)
		}, "too large"},
		"redirect": {func(self string, rw http.ResponseWriter, r *http.Request) {
			http.Redirect(rw, r, w.siteURL("one")+"/", http.StatusFound)
		}, "Redirects are not followed"},
		"redirected metadata": {func(self string, rw http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/" {
				http.Redirect(rw, r, w.siteURL("one")+r.URL.Path, http.StatusFound)
				return
			}
			serveClaim(rw, r, self, nil)
		}, "Redirects are not followed"},
	} {
		t.Run(name, func(t *testing.T) {
			r := w.gate("login", hostile(t, c.answer)+"/")
			r.t = t
			r.want(exitFailed, c.text)
			if strings.ContainsAny(r.stderr, "\x1b\x07") {
				t.Errorf("%q", r.stderr)
			}
		})
	}
}

func withSelf(servers func(self string) any) func(string, http.ResponseWriter, *http.Request) {
	return func(self string, rw http.ResponseWriter, r *http.Request) {
		serveClaim(rw, r, self, map[string]any{"resource": self, "authorization_servers": servers(self)})
	}
}

func TestLogin_HostileIssuers(t *testing.T) {
	// What the issuer's metadata, and the answer to a device request, say.
	for name, c := range map[string]struct {
		metadata map[string]any
		device   map[string]any
		code     int
		text     string
	}{
		"another issuer":    {metadata: map[string]any{"issuer": "https://auth.example.com"}, code: exitFailed, text: "describes another issuer"},
		"http endpoint":     {metadata: map[string]any{"token_endpoint": "http://app.example.com/token"}, code: exitFailed, text: "not encrypted"},
		"script endpoint":   {metadata: map[string]any{"token_endpoint": "javascript:alert(1)"}, code: exitFailed, text: "not an address"},
		"no token endpoint": {metadata: map[string]any{"token_endpoint": ""}, code: exitFailed, text: "no token endpoint"},
		"no device flow":    {metadata: map[string]any{"device_authorization_endpoint": ""}, code: exitFailed, text: "no sign-in for terminals"},
		"no code":           {device: map[string]any{"user_code": ""}, code: exitFailed, text: "without a code"},
		"http page":         {device: map[string]any{"verification_uri": "http://app.example.com"}, code: exitFailed, text: "not encrypted"},
		"file page":         {device: map[string]any{"verification_uri_complete": "file:///etc/passwd"}, code: exitFailed, text: "not an address"},
		"no time":           {device: map[string]any{"expires_in": -1}, code: exitFailed, text: "without a code"},
		"escape sequences":  {device: map[string]any{"user_code": "\x1b[2JAB\u202eCD"}, code: exitSignIn, text: "?[2JAB?CD"},
		"a long wait":       {device: map[string]any{"interval": 1 << 40, "expires_in": 1 << 40}, code: exitSignIn, text: "expired"},
	} {
		t.Run(name, func(t *testing.T) {
			self := hostile(t, func(self string, rw http.ResponseWriter, r *http.Request) {
				metadata := map[string]any{"issuer": self, "token_endpoint": self + "/token", "device_authorization_endpoint": self + "/device"}
				device := map[string]any{"device_code": "d", "user_code": "AB", "verification_uri": self + "/d", "expires_in": 600}
				switch r.URL.Path {
				case "/.well-known/oauth-authorization-server":
					_ = json.NewEncoder(rw).Encode(with(metadata, c.metadata))
				case "/device":
					_ = json.NewEncoder(rw).Encode(with(device, c.device))
				case "/token":
					rw.WriteHeader(http.StatusBadRequest)
					_ = json.NewEncoder(rw).Encode(map[string]string{"error": "authorization_pending"})
				default:
					serveClaim(rw, r, self, map[string]any{"resource": self, "authorization_servers": []string{self}})
				}
			})
			w := &world{t: t, clock: &testClock{}, folder: t.TempDir()}
			r := w.gate("login", self+"/").want(c.code, c.text)
			if strings.ContainsAny(r.stderr, "\x1b\u202e") {
				t.Errorf("%q", r.stderr)
			}
		})
	}
}

// A redirect does not carry a device code or a refresh token elsewhere.
func TestToken_RedirectsCarryNothing(t *testing.T) {
	w := newWorld(t, gateClient())
	w.login(w.siteURL("one"))
	var reached atomic.Int32
	thief := hostile(t, func(string, http.ResponseWriter, *http.Request) { reached.Add(1) })
	w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost {
			return false
		}
		http.Redirect(rw, r, thief, http.StatusTemporaryRedirect)
		return true
	})
	w.gate("token", "--for", w.siteURL("two")).want(exitFailed, "Redirects are not followed")
	w.gate("login", w.siteURL("two")).want(exitFailed, "Redirects are not followed")
	w.gate("logout").want(exitFailed, "was kept")
	if reached.Load() > 0 {
		t.Error("a form was sent to the redirect's target")
	}
}

func with(m, changes map[string]any) map[string]any {
	maps.Copy(m, changes)
	return m
}

// A site reached by https must not lead to what listens on this machine.
func TestParseNamed(t *testing.T) {
	for _, c := range []struct {
		by, named string
		ok        bool
	}{
		{"https://app.example.com", "https://auth.example.com/x", true},
		{"https://app.example.com", "http://localhost:9000", false},
		{"https://app.example.com", "http://127.0.0.1", false},
		{"https://localhost", "http://localhost", false},
		{"http://localhost", "http://auth.localhost:1", true},
		{"http://127.0.0.1", "http://[::1]:80/x", true},
		{"http://localhost", "http://localhost.example.com", false},
		{"http://localhost", "https://auth.example.com", true},
		{"http://localhost", "//auth.example.com", false},
	} {
		by, err := parseAddress(c.by)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parseNamed(c.named, by); (err == nil) != c.ok {
			t.Errorf("%s names %s: %v", c.by, c.named, err)
		}
	}
}

// A server that repeats what it was sent does not put it on the screen.
func TestAnswer_HidesSecrets(t *testing.T) {
	sent := map[string][]string{"refresh_token": {"gtr_secret"}}
	err := answer("https://auth.example.com", reply{status: http.StatusBadRequest, body: []byte(`{"error":"invalid_grant","error_description":"gtr_secret is bad"}`)}, sent, nil)
	if err == nil || strings.Contains(err.Error(), "gtr_secret") {
		t.Error(err)
	}
}
