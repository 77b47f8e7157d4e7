package integration_test

import (
	"crypto/sha1" //nolint:gosec // RFC 6455, section 4.2.2
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/integration/browser"
	"github.com/gatehouse-auth/gatehouse/integration/gateway"
	"github.com/gatehouse-auth/gatehouse/integration/traefik"
)

// One proxy after the other, in front of gateways of their own: whatever a person and
// a program do there.
func TestForwardAuth_Nginx(t *testing.T)   { testAsking(t, "nginx") }
func TestForwardAuth_HAProxy(t *testing.T) { testAsking(t, "haproxy") }
func TestForwardAuth_Apache(t *testing.T)  { testAsking(t, "apache") }
func TestForwardAuth_Caddy(t *testing.T)   { testAsking(t, "caddy") }

// TestForwardAuth_Traefik runs where Traefik is installed.
func TestForwardAuth_Traefik(t *testing.T) {
	if traefik.Program() == "" {
		t.Skip("there is no traefik on the path, nor in " + traefik.EnvProgram)
	}
	testAsking(t, "traefik")
}

func testAsking(t *testing.T, name string) {
	t.Helper()
	t.Parallel()
	askTogether(t, gateway.Options{}, askingApp(t), []string{name}, "", localUsers(t))[name].walk(t)
}

// The example answers a proxy's question.
func TestForwardAuth_TheExampleAnswers(t *testing.T) {
	t.Parallel()
	n := gateway.Start(t, gateway.Options{Caddyfile: strings.Replace(example(t, "forward-auth.Caddyfile"), "http://:9091", "http://", 1)})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/forward_auth", n.HTTPPort), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Original-Method", "GET")
	req.Header.Set("X-Original-URL", "https://app.example.com/")
	resp, err := (&http.Client{Timeout: time.Minute}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("%s", resp.Status)
	}
}

// askingApp answers with what it was sent, and switches to WebSocket without
// speaking it.
func askingApp(t *testing.T) string {
	t.Helper()
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			defer func() { _ = conn.Close() }()
			accept := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // RFC 6455, section 4.2.2
			_, _ = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
				"Sec-WebSocket-Accept: %s\r\nSeen-User: %s\r\n\r\n", base64.StdEncoding.EncodeToString(accept[:]), r.Header.Get("Remote-User"))
			_, _ = conn.Read(make([]byte, 1))
			return
		}
		n, _ := io.Copy(io.Discard, r.Body)
		_, _ = fmt.Fprintf(w, "%s %s\nbody: %d\n", r.Method, r.RequestURI, n)
		_ = r.Header.Write(w)
	}))
	t.Cleanup(up.Close)
	return strings.TrimPrefix(up.URL, "http://")
}

// walk does what a person and a program do behind the proxy.
func (a asking) walk(t *testing.T) {
	t.Helper()
	b := browser.New(t, browser.Options{Route: func(string) string { return a.address }, RootCAs: a.roots, Learn: a.node.Secrets.Learn})
	const site = "https://app.example.com"

	// A program is told so; what is open passes, without what a client made up.
	if got := a.send(t, nil, http.MethodGet, site+"/private/api", nil); got.status != http.StatusUnauthorized {
		t.Errorf("a program without a token: %d\n%s", got.status, got.body)
	}
	got := a.send(t, nil, http.MethodGet, site+"/open?x=1", nil, "Remote-User: mallory", "Remote-Email: mallory@example.com")
	if got.status != http.StatusOK || strings.Contains(got.body, "mallory") || !strings.Contains(got.body, "GET /open?x=1\n") {
		t.Errorf("what is open: %d\n%s", got.status, got.body)
	}

	if got := a.send(t, nil, http.MethodPost, site+"/private/api", strings.NewReader("x=1")); got.status != http.StatusUnauthorized || reached(got.body) {
		t.Errorf("a program that posts without a token: %d\n%s", got.status, got.body)
	}
	a.attack(t)

	// Back to the very URL.
	page := signIn(t, b, site+"/private/reports?year=2026&x=%2F", "alice", alicePassword)
	if got := page.URL.String(); got != site+"/private/reports?year=2026&x=%2F" || !strings.Contains(page.Body, "Remote-User: alice\n") &&
		!strings.Contains(page.Body, "Remote-User: alice\r\n") {
		t.Fatalf("landed on %s\n%s", got, page.Body)
	}
	cookies := b.Cookies(site)

	// The application gets the user, its own cookie, and nothing of ours or made up.
	got = a.send(t, cookies, http.MethodGet, site+"/private/x", nil, "Cookie: theirs=1", "Remote-User: mallory", "Remote-Groups: admin")
	if got.status != http.StatusOK || !strings.Contains(got.body, "Remote-User: alice") || !strings.Contains(got.body, "Remote-Groups: staff") ||
		!strings.Contains(got.body, "theirs=1") || strings.Contains(got.body, "mallory") || strings.Contains(got.body, "__Host-gatehouse=") {
		t.Errorf("signed in: %d\n%s", got.status, got.body)
	}
	big := "theirs=" + strings.Repeat("x", 6<<10)
	if got := a.send(t, cookies, http.MethodGet, site+"/private/x", nil, "Cookie: "+big); got.status != http.StatusOK || !strings.Contains(got.body, big) {
		t.Errorf("a large cookie: %d", got.status)
	}
	got = a.send(t, cookies, http.MethodGet, site+"/private/x", nil, "Connection: Remote-User, Remote-Groups")
	if got.status != http.StatusOK || !strings.Contains(got.body, "Remote-User: alice") || !strings.Contains(got.body, "Remote-Groups: staff") {
		t.Errorf("a client that has the headers dropped: %d\n%s", got.status, got.body)
	}
	if got = a.send(t, cookies, http.MethodPost, site+"/private/api", strings.NewReader("x=1")); got.status != http.StatusOK || !strings.Contains(got.body, "POST /private/api\nbody: 3\n") {
		t.Errorf("a program that posts: %d\n%s", got.status, got.body)
	}
	a.byHTTP2(t, cookies)
	const size = 64 << 20
	got = a.send(t, cookies, http.MethodPost, site+"/private/upload", io.LimitReader(zeros{}, size))
	if got.status != http.StatusOK || !strings.Contains(got.body, fmt.Sprintf("body: %d\n", size)) {
		t.Errorf("an upload: %d\n%s", got.status, got.body)
	}
	a.handshake(t, cookies, "https://app.example.com", http.StatusSwitchingProtocols)
	a.handshake(t, cookies, "https://evil.example", 0)
	if got := a.handshakeByHTTP2(t, cookies, "https://evil.example"); strings.HasPrefix(got, "2") {
		t.Errorf("a WebSocket of another site by HTTP/2: %s", got)
	}
	// HAProxy alone takes them by default.
	if got := a.handshakeByHTTP2(t, cookies, "https://app.example.com"); a.name == "haproxy" && got != "200" {
		t.Errorf("a WebSocket by HTTP/2: %s", got)
	}

	// Another host is another site.
	if got := a.send(t, cookies, http.MethodGet, "https://other.example.com/private/", nil); got.status == http.StatusOK && strings.Contains(got.body, "Remote-User: alice") {
		t.Errorf("the cookie of one site opens another: %d\n%s", got.status, got.body)
	}
	page = signIn(t, b, "https://other.example.com/private/y", "bob", bobPassword)
	if !strings.Contains(page.Body, "Remote-User: bob") {
		t.Errorf("the other site:\n%s", page.Body)
	}
	a.confuse(t, cookies, b.Cookies("https://other.example.com"))
	a.logsNoCodes(t, cookies)

	wantStatus(t, signOut(t, b, site), http.StatusOK)
	if signedIn(t, b, site+"/private/") {
		t.Error("still signed in")
	}
	if got := a.send(t, cookies, http.MethodGet, site+"/private/x", nil); got.status != http.StatusUnauthorized {
		t.Errorf("the cookie of before signing out: %d", got.status)
	}
}

// byHTTP2 does by HTTP/2 what matters there: the host and the cookies come otherwise.
func (a asking) byHTTP2(t *testing.T, cookies []*http.Cookie) {
	t.Helper()
	const site = "https://app.example.com"
	got := a.do(t, true, cookies, http.MethodPost, site+"/private/x?y=z", strings.NewReader("x=1"), "Remote-User: mallory")
	if got.proto != 2 || got.status != http.StatusOK || !strings.Contains(got.body, "POST /private/x?y=z\nbody: 3\n") ||
		!strings.Contains(got.body, "Remote-User: alice") || strings.Contains(got.body, "mallory") || strings.Contains(got.body, "__Host-gatehouse=") {
		t.Errorf("by HTTP/%d: %d\n%s", got.proto, got.status, got.body)
	}
	if got := a.do(t, true, nil, http.MethodGet, site+"/private/x", nil); got.proto != 2 || got.status != http.StatusUnauthorized {
		t.Errorf("by HTTP/%d, without a session: %d\n%s", got.proto, got.status, got.body)
	}
}

// logsNoCodes sends addresses of the application that hold codes. That they are in no
// log is checked when the gateway ends, with the session's cookies and our own codes.
func (a asking) logsNoCodes(t *testing.T, cookies []*http.Cookie) {
	t.Helper()
	const site, code = "https://app.example.com", "sesame-open-the-door"
	a.node.Secrets.Learn("a code of the application's", code)
	for _, path := range []string{"/open/cb", "/private/cb"} {
		for _, cookies := range [][]*http.Cookie{cookies, nil} {
			a.send(t, cookies, http.MethodGet, site+path+"?state=x&code="+code, nil)
		}
	}
	log := a.node.Log.Text()
	if !strings.Contains(log, "http.log.access") || !strings.Contains(log, `"path":"/private/cb"`) {
		t.Error("the access log is off, or has no line in place of one that is left out")
	}
}
