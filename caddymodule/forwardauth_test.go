package caddymodule

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

const gate = "http:// {\n\tgatehouse_forward_auth /private/* {\n\t\tproxy PROXY\n\t\thosts app.corp.test\n\t}\n}\n"

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

// Caddy's access log redacts Authorization and cookies, and no other header.
func TestForwardAuth_LogsNoTokens(t *testing.T) {
	log := filepath.Join(t.TempDir(), "access.log")
	r := trusting(t, aliceLocal, strings.NewReplacer("PROXY", "nginx",
		"http:// {\n", "http:// {\n\tlog {\n\t\toutput file "+log+"\n\t}\n",
		"hosts ", "headers {\n\t\t\tassertion X-Assertion\n\t\t}\n\t\thosts ").Replace(gate))
	got := r.do(asks("nginx", "GET", "/private/x", r.secureSignIn("app.corp.test")))
	assertion := got.Header().Get("X-Assertion")
	if got.Code != http.StatusOK || assertion == "" {
		t.Fatalf("%d %v", got.Code, got.Header())
	}
	own := asks("nginx", "GET", "/private/y")
	own.Header.Set("Gatehouse-Authorization", "Bearer a-token-of-ours")
	r.do(own)
	text, err := os.ReadFile(log)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if strings.Contains(string(text), assertion) || strings.Contains(string(text), "a-token-of-ours") {
		t.Errorf("the log says\n%s", text)
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
			if name == "traefik" { // which would complete it by the address that it asks at
				want = "https://app.corp.test" + want
			}
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

// The front hides what belongs in no log; the code of a sign-in must arrive.
func TestForwardAuth_PassesTheQueryOfItsOwnAddressesOn(t *testing.T) {
	for _, name := range allDialects {
		r := trusting(t, aliceLocal, strings.ReplaceAll(gate, "PROXY", name))
		login := navigation("http://app.corp.test/.gatehouse/login?return_to=%2Fprivate%2F")
		login.Header.Set("X-Forwarded-Proto", "https")
		begun := r.do(login)
		request := regexp.MustCompile(`name="request" value="([^"]+)"`).FindStringSubmatch(begun.Body.String())
		if request == nil {
			t.Fatalf("%s: %d %s", name, begun.Code, begun.Body)
		}
		again := navigation("http://app.corp.test/.gatehouse/signin?provider=local&request="+request[1], begun.Result().Cookies()...)
		again.Header.Set("X-Forwarded-Proto", "https")
		if got := r.do(again); got.Code == http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, got.Code, got.Body)
		}
	}
}

// Requests within such a connection are asked about by nobody (h2c smuggling:
// Bishop Fox, 2020).
func TestForwardAuth_RefusesUpgradesButWebSockets(t *testing.T) {
	r := trusting(t, aliceLocal, strings.ReplaceAll(gate, "PROXY", "caddy"))
	for protocol, want := range map[string]int{"h2c": 400, "websocket, h2c": 400, "TLS/1.2": 400, "websocket": 200, "WebSocket": 200} {
		req := asks("caddy", "GET", "/open")
		req.Header.Set("Upgrade", protocol)
		req.Header.Set("Connection", "Upgrade")
		if got := r.do(req); got.Code != want {
			t.Errorf("%s: %d", protocol, got.Code)
		}
	}
}

// Where Caddy finds no route it answers 200, which the proxy would take for yes.
func TestForwardAuth_MustMeetEveryQuestion(t *testing.T) {
	for _, site := range []string{
		"http://gate.internal {\n\tBLOCK\n}\n", "http:// {\n\thandle /forward_auth {\n\t\tBLOCK\n\t}\n}\n",
		"http:// {\n\t@inside remote_ip 10.0.0.0/8\n\thandle @inside {\n\t\tBLOCK\n\t}\n}\n",
	} {
		block := "gatehouse_forward_auth {\n\t\tproxy nginx\n\t\thosts app.corp.test\n\t}"
		_, err := begin(t, config(t, t.TempDir(), aliceLocal, strings.Replace(site, "BLOCK", block, 1)))
		if err == nil || !strings.Contains(err.Error(), "gatehouse_forward_auth must handle every request to its address") {
			t.Errorf("%s: %v", site, err)
		}
	}
}

func TestForwardAuth_RefusesHostsThatNoRequestHas(t *testing.T) {
	for _, host := range []string{"app.corp.test:8443", "https://app.corp.test", "app.corp.test/x", "app.corp.test.", "[::1]"} {
		_, err := provision(t, config(t, t.TempDir(), aliceLocal, strings.NewReplacer("PROXY", "nginx", "app.corp.test", host).Replace(gate)))
		if err == nil || !strings.Contains(err.Error(), "is not a host name; write it without scheme, port") {
			t.Errorf("%s: %v", host, err)
		}
	}
}

// A proxy may show a certificate instead of coming from a known address.
func TestForwardAuth_AnswersClientsOfItsMTLS(t *testing.T) {
	r := trusting(t, aliceLocal, strings.ReplaceAll(gate, "PROXY", "nginx"))
	cookie := r.secureSignIn("app.corp.test")
	chain := [][]*x509.Certificate{{{}}}
	for name, test := range map[string]struct {
		state *tls.ConnectionState
		want  int
	}{
		"verified":   {&tls.ConnectionState{VerifiedChains: chain, PeerCertificates: chain[0]}, http.StatusOK},
		"unverified": {&tls.ConnectionState{PeerCertificates: chain[0]}, http.StatusForbidden},
		"none":       {&tls.ConnectionState{}, http.StatusForbidden},
	} {
		req := asks("nginx", "GET", "/private/x", cookie)
		req.RemoteAddr, req.TLS = "203.0.113.9:1234", test.state
		got := r.do(req)
		if got.Code != test.want || (got.Header().Get("Remote-User") == "alice") != (test.want == http.StatusOK) {
			t.Errorf("%s: %d %v", name, got.Code, got.Header())
		}
		if test.want != http.StatusOK {
			continue
		}
		// The scheme is that of the browser, whatever the proxy speaks to us.
		plain := asks("nginx", "GET", "/private/x", cookie)
		plain.RemoteAddr, plain.TLS = req.RemoteAddr, test.state
		plain.Header.Set("X-Original-URL", "http://app.corp.test/private/x")
		if got := r.do(plain); got.Code != http.StatusUnauthorized {
			t.Errorf("a cookie of https over http: %d", got.Code)
		}
		sent := get("http://app.corp.test/private/x")
		sent.Header = asks("nginx", "GET", "/private/x").Header
		sent.RemoteAddr, sent.TLS = req.RemoteAddr, test.state
		if got := r.do(sent); got.Code != http.StatusUnauthorized || !strings.Contains(got.Body.String(), `"https://app.corp.test/.gatehouse/login"`) {
			t.Errorf("sent on: %d %s", got.Code, got.Body)
		}
	}
}

// Proxies take every 2xx for yes, and gRPC has its refusals in a 200.
func TestForwardAuth_NoIsNeverA2xx(t *testing.T) {
	callers := map[string][]string{
		"gRPC":       {"Content-Type: application/grpc"},
		"gRPC-Web":   {"Content-Type: application/grpc-web+proto", "X-Grpc-Web: 1"},
		"htmx":       {"HX-Request: true"},
		"fetch":      {"Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty"},
		"a frame":    {"Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe", "Accept: text/html"},
		"a prefetch": {"Sec-Fetch-Mode: navigate", "Sec-Purpose: prefetch", "Accept: text/html"},
		"an image":   {"Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image"},
		"preflight":  {"Origin: https://evil.test", "Access-Control-Request-Method: PUT"},
		"WebSocket":  {"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Upgrade: websocket", "Connection: Upgrade"},
		"a program":  nil,
		"two tokens": {"Authorization: Bearer gta_x", "Gatehouse-Authorization: Bearer gta_y"},
	}
	for _, name := range allDialects {
		site := strings.ReplaceAll(gate, "PROXY", name)
		for _, site := range []string{site, strings.Replace(site, "hosts", "allow user bob\n\t\thosts", 1)} {
			r := trusting(t, aliceLocal, site)
			var cookies []*http.Cookie
			if strings.Contains(site, "bob") {
				cookies = append(cookies, r.secureSignIn("app.corp.test"))
			}
			for caller, headers := range callers {
				for _, method := range []string{"GET", "HEAD", "POST", "OPTIONS", "CONNECT"} {
					req := asks(name, method, "/private/x", cookies...)
					for _, h := range headers {
						key, value, _ := strings.Cut(h, ": ")
						req.Header.Add(key, value)
					}
					if got := r.do(req); got.Code < 300 || got.Header().Get("Remote-User") != "" {
						t.Errorf("%s: %s of %s: %d %v", name, method, caller, got.Code, got.Header())
					}
				}
			}
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

func TestForwardAuth_ReadsPathsInEveryWay(t *testing.T) {
	r := trusting(t, aliceLocal, strings.ReplaceAll(gate, "PROXY", "traefik"))
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

// By HTTP/2 a handshake has no key and no Upgrade (RFC 8441), and HAProxy makes a GET
// of it before it asks.
func TestForwardAuth_RefusesAWebSocketOfAnotherSiteByHTTP2(t *testing.T) {
	r := trusting(t, aliceLocal, strings.ReplaceAll(gate, "PROXY", "haproxy"))
	for origin, want := range map[string]int{"https://app.corp.test": http.StatusOK, "https://evil.corp.test": http.StatusUnauthorized} {
		req := asks("haproxy", http.MethodGet, "/private/ws", r.secureSignIn("app.corp.test"))
		req.Header.Set("Sec-WebSocket-Version", "13")
		req.Header.Set("Origin", origin)
		if got := r.do(req); got.Code != want {
			t.Errorf("%s: %d", origin, got.Code)
		}
	}
}

func TestForwardAuth_KnowsIPv6Hosts(t *testing.T) {
	for _, name := range []string{"nginx", "caddy", "envoy"} {
		r := trusting(t, aliceLocal, strings.NewReplacer("PROXY", name, "app.corp.test", "2001:db8::1").Replace(gate))
		for host, want := range map[string]int{"[2001:db8::1]": http.StatusOK, "[2001:db8::1]:8443": http.StatusOK, "[2001:db8::2]": 0, "2001:db8::1": 0, "[2001:db8::1": 0} {
			req := asks(name, "GET", "/private/x", r.secureSignIn("[2001:db8::1]"))
			switch name {
			case "nginx", "apache", "haproxy":
				req.Header.Set("X-Original-URL", "https://"+host+"/private/x")
			case "envoy":
				req.Host = host
			default:
				req.Header.Set("X-Forwarded-Host", host)
			}
			if got := r.do(req); got.Code != want && (want != 0 || got.Code < 400) {
				t.Errorf("%s asks about %s: %d %s", name, host, got.Code, got.Body)
			}
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
	_, err := provision(t, config(t, t.TempDir(), aliceLocal, strings.NewReplacer("PROXY", "nginx", "hosts", "headers {\n\t\t\tgroups Remote-Groups as repeated\n\t\t}\n\t\thosts").Replace(gate)))
	if err == nil || !strings.Contains(err.Error(), "as repeated does not work with forward auth") {
		t.Errorf("repeated: %v", err)
	}
	f := &ForwardAuth{Proxy: "squid"}
	if err := f.Provision(caddy.Context{}); err == nil || !strings.Contains(err.Error(), "nginx, apache, haproxy, traefik") {
		t.Errorf("%v", err)
	}
}
