package caddymodule

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

const gate = "http://gate.internal, http://app.corp.test {\n\tgatehouse_forward_auth /private/* {\n\t\tproxy PROXY\n\t\thosts app.corp.test\n\t}\n}\n"

// asks is what a proxy of a dialect sends to ask about a request.
func asks(name, method, uri string, cookies ...*http.Cookie) *http.Request {
	req := httptest.NewRequest(http.MethodGet, "http://gate.internal/forward_auth", nil)
	req.RequestURI = "/forward_auth"
	switch name {
	case "nginx", "apache", "haproxy":
		req.Header.Set("X-Original-Method", method)
		req.Header.Set("X-Original-URL", "https://app.corp.test"+uri)
	case "envoy":
		req = httptest.NewRequest(method, "http://app.corp.test/forward_auth"+uri, nil)
		req.RequestURI = "/forward_auth" + uri
		req.Header.Set("X-Forwarded-Proto", "https")
	default:
		req.Header.Set("X-Forwarded-Method", method)
		req.Header.Set("X-Forwarded-Proto", "https")
		req.Header.Set("X-Forwarded-Host", "app.corp.test")
		req.Header.Set("X-Forwarded-Uri", uri)
	}
	for _, c := range cookies {
		req.AddCookie(c)
	}
	return req
}

func (r *running) secureSignIn(host string) *http.Cookie {
	c := r.signIn(host, nil)
	c.Name = "__Host-gatehouse"
	return c
}

var allDialects = []string{"nginx", "apache", "traefik", "envoy", "haproxy", "caddy"}

func TestForwardAuth_YesNamesTheUserAndWhatToSet(t *testing.T) {
	for _, name := range allDialects {
		t.Run(name, func(t *testing.T) {
			r := trusting(t, aliceLocal, strings.ReplaceAll(gate, "PROXY", name))
			req := asks(name, "POST", "/private/x?y=z", r.secureSignIn("app.corp.test"), &http.Cookie{Name: "theirs", Value: "1"})
			req.Header.Set("Remote-User", "mallory")
			req.Header.Set("Authorization", "Basic YTpi")
			got := r.do(req)
			if got.Code != http.StatusOK || got.Header().Get("Remote-User") != "alice" || got.Header().Get("Remote-Groups") != "staff" {
				t.Errorf("%d %v", got.Code, got.Header())
			}
			if cookie := got.Header().Get("Cookie"); cookie != "theirs=1" {
				t.Errorf("cookie %q", cookie)
			}
			if got.Header().Get("Authorization") != "Basic YTpi" || got.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%v", got.Header())
			}
		})
	}
}

// What is open passes, and has nothing of ours, nor what a client made up.
func TestForwardAuth_AnOpenPathHasEmptyHeaders(t *testing.T) {
	for _, name := range allDialects {
		r := trusting(t, aliceLocal, strings.ReplaceAll(gate, "PROXY", name))
		req := asks(name, "GET", "/open", r.secureSignIn("app.corp.test"))
		req.Header.Set("Remote-User", "mallory")
		got := r.do(req)
		if got.Code != http.StatusOK {
			t.Errorf("%s: %d %s", name, got.Code, got.Body)
		}
		for _, header := range []string{"Remote-User", "Remote-Email", "Remote-Name", "Remote-Groups", "Cookie", "Authorization"} {
			if values, ok := got.Header()[header]; !ok || len(values) != 1 || values[0] != "" {
				t.Errorf("%s: %s is %q", name, header, values)
			}
		}
	}
}

func TestForwardAuth_NoInTheFormThatTheProxyCarries(t *testing.T) {
	for _, name := range allDialects {
		r := trusting(t, aliceLocal, strings.ReplaceAll(gate, "PROXY", name))
		browser := asks(name, "GET", "/private/x?y=z")
		browser.Header.Set("Sec-Fetch-Mode", "navigate")
		browser.Header.Set("Sec-Fetch-Dest", "document")
		browser.Header.Set("Accept", "text/html")
		got := r.do(browser)
		switch name {
		case "nginx", "apache", "haproxy":
			if got.Code != http.StatusUnauthorized || got.Body.Len() != 0 || got.Header().Get("Location") != "" {
				t.Errorf("%s: %d %v", name, got.Code, got.Header())
			}
			sent := httptest.NewRequest(http.MethodGet, "http://app.corp.test/private/x?y=z", nil)
			sent.RequestURI = "/private/x?y=z"
			sent.Header = browser.Header.Clone()
			got = r.do(sent)
			fallthrough
		default:
			want := "/.gatehouse/login?return_to=%2Fprivate%2Fx%3Fy%3Dz"
			if got.Code != http.StatusSeeOther || got.Header().Get("Location") != want {
				t.Errorf("%s: %d %q", name, got.Code, got.Header().Get("Location"))
			}
		}
		program := r.do(asks(name, "GET", "/private/x"))
		if program.Code != http.StatusUnauthorized {
			t.Errorf("%s: a program gets %d", name, program.Code)
		}
	}
}

func TestForwardAuth_ServesItsOwnPages(t *testing.T) {
	for _, name := range allDialects {
		r := trusting(t, aliceLocal, strings.ReplaceAll(gate, "PROXY", name))
		req := navigation("http://app.corp.test/.gatehouse/login?return_to=%2Fprivate%2F")
		req.Header.Set("Sec-Fetch-Dest", "document")
		req.Header.Set("X-Forwarded-Proto", "https")
		if got := r.do(req); got.Code != http.StatusSeeOther && got.Code != http.StatusOK {
			t.Errorf("%s: %d %s", name, got.Code, got.Body)
		}
		if got := r.do(asks(name, "GET", "/.gatehouse/login")); got.Code == http.StatusOK {
			t.Errorf("%s: says yes to one of our own addresses", name)
		}
	}
}

// Nothing but a yes to a proxy's question has what the application is told.
func TestForwardAuth_ARequestThatIsSentOnLearnsNothing(t *testing.T) {
	for _, name := range allDialects {
		r := trusting(t, aliceLocal, strings.ReplaceAll(gate, "PROXY", name))
		for _, path := range []string{"/private/x", "/open", "/forward_auth"} {
			sent := get("http://app.corp.test"+path, r.secureSignIn("app.corp.test"))
			sent.Header = asks(name, "GET", path, r.secureSignIn("app.corp.test")).Header
			got := r.do(sent)
			if got.Code == http.StatusOK || got.Header().Get("Remote-User") != "" {
				t.Errorf("%s: %s: %d %v", name, path, got.Code, got.Header())
			}
		}
	}
}

func TestForwardAuth_AnswersTrustedProxiesOnly(t *testing.T) {
	for _, name := range allDialects {
		r := trusting(t, aliceLocal, strings.ReplaceAll(gate, "PROXY", name))
		for _, req := range []*http.Request{asks(name, "GET", "/open"), get("http://app.corp.test/.gatehouse/login")} {
			req.RemoteAddr = "203.0.113.9:1234"
			if got := r.do(req); got.Code != http.StatusForbidden {
				t.Errorf("%s: %d", name, got.Code)
			}
		}
	}
}

func TestForwardAuth_RefusesWhatItCannotRead(t *testing.T) {
	r := trusting(t, aliceLocal, strings.ReplaceAll(gate, "PROXY", "traefik"))
	for name, change := range map[string]func(*http.Request){
		"nothing said": func(r *http.Request) { r.Header = http.Header{} },
		"said twice":   func(r *http.Request) { r.Header.Add("X-Forwarded-Uri", "/private/x") },
		"absolute":     func(r *http.Request) { r.Header.Set("X-Forwarded-Uri", "http://app.corp.test/open") },
		"override":     func(r *http.Request) { r.Header.Set("X-HTTP-Method-Override", "DELETE") },
		"foreign host": func(r *http.Request) { r.Header.Set("X-Forwarded-Host", "evil.test") },
	} {
		req := asks("traefik", "GET", "/open")
		change(req)
		if got := r.do(req); got.Code != http.StatusBadRequest && got.Code != http.StatusMisdirectedRequest {
			t.Errorf("%s: %d %s", name, got.Code, got.Body)
		}
	}
	// Every reading of a path counts, as it does for a site.
	for _, path := range []string{"/open/../private/x", "/x/%2e%2e/private/x", "//x/private/y", "/PRIVATE/x", "/private/."} {
		if got := r.do(asks("traefik", "GET", path)); got.Code == http.StatusOK {
			t.Errorf("%s is open", path)
		}
	}
}

// A page of another site must not open a WebSocket with the visitor's cookie. The
// proxy leaves out Upgrade, which is about its own connection.
func TestForwardAuth_RefusesAWebSocketOfAnotherSite(t *testing.T) {
	r := trusting(t, aliceLocal, strings.ReplaceAll(gate, "PROXY", "caddy"))
	for origin, want := range map[string]int{"https://app.corp.test": http.StatusOK, "https://evil.test": http.StatusForbidden} {
		req := asks("caddy", "GET", "/private/ws", r.secureSignIn("app.corp.test"))
		req.Proto, req.ProtoMinor = "HTTP/1.0", 0 // as nginx asks
		req.Header.Set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
		req.Header.Set("Sec-WebSocket-Version", "13")
		req.Header.Set("Origin", origin)
		if got := r.do(req); got.Code != want {
			t.Errorf("%s: %d", origin, got.Code)
		}
	}
}

func TestForwardAuth_RefusesOptionsWithoutEffect(t *testing.T) {
	for options, want := range map[string]string{
		"hosts app.corp.test":                  "needs to know which proxy asks",
		"proxy nginx":                          "needs the names of the sites",
		"proxy ngnix\n\t\thosts app.corp.test": "did you mean \"nginx\"",
		"proxy nginx\n\t\tproxy caddy\n\t\thosts app.corp.test":    "given twice",
		"proxy nginx\n\t\thosts app.corp.test\n\t\tupgrades a/1":   "upgrades has no effect with forward auth",
		"proxy nginx\n\t\thosts app.corp.test\n\t\tfinish_uploads": "finish_uploads has no effect with forward auth",
	} {
		_, err := adapt("{\n\tgatehouse {\n" + aliceLocal + "\n\t}\n}\nhttp://gate.internal {\n\tgatehouse_forward_auth {\n\t\t" + options + "\n\t}\n}\n")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", options, err)
		}
	}
	f := &ForwardAuth{Proxy: "squid"}
	if err := f.Provision(caddy.Context{}); err == nil || !strings.Contains(err.Error(), "nginx, apache, haproxy, traefik") {
		t.Errorf("%v", err)
	}
}
