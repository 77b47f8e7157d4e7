package integration_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
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
			_, _ = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
				"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSeen-User: %s\r\n\r\n", r.Header.Get("Remote-User"))
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
	const size = 64 << 20
	got = a.send(t, cookies, http.MethodPost, site+"/private/upload", io.LimitReader(zeros{}, size))
	if got.status != http.StatusOK || !strings.Contains(got.body, fmt.Sprintf("body: %d\n", size)) {
		t.Errorf("an upload: %d\n%s", got.status, got.body)
	}
	a.handshake(t, cookies, "https://app.example.com", http.StatusSwitchingProtocols)
	a.handshake(t, cookies, "https://evil.example", 0)

	// Another host is another site.
	if got := a.send(t, cookies, http.MethodGet, "https://other.example.com/private/", nil); got.status == http.StatusOK && strings.Contains(got.body, "Remote-User: alice") {
		t.Errorf("the cookie of one site opens another: %d\n%s", got.status, got.body)
	}
	page = signIn(t, b, "https://other.example.com/private/y", "bob", bobPassword)
	if !strings.Contains(page.Body, "Remote-User: bob") {
		t.Errorf("the other site:\n%s", page.Body)
	}

	wantStatus(t, signOut(t, b, site), http.StatusOK)
	if signedIn(t, b, site+"/private/") {
		t.Error("still signed in")
	}
	if got := a.send(t, cookies, http.MethodGet, site+"/private/x", nil); got.status != http.StatusUnauthorized {
		t.Errorf("the cookie of before signing out: %d", got.status)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

type answered struct {
	status int
	body   string
}

// send sends a request as a program does, with headers "Name: value".
func (a asking) send(t *testing.T, cookies []*http.Cookie, method, address string, body io.Reader, headers ...string) answered {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, body)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cookies {
		req.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Cookie" && req.Header.Get("Cookie") != "" {
			value = req.Header.Get("Cookie") + "; " + value
		}
		req.Header.Set(name, value)
	}
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: a.roots},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, a.address)
		},
	}
	defer transport.CloseIdleConnections()
	client := &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answered{resp.StatusCode, string(text)}
}

// handshake opens a WebSocket as a page of an origin does. A want of 0 is any
// refusal.
func (a asking) handshake(t *testing.T, cookies []*http.Cookie, origin string, want int) {
	t.Helper()
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 30 * time.Second}, "tcp", a.address, &tls.Config{RootCAs: a.roots, ServerName: "app.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(60 * time.Second))
	_, _ = fmt.Fprintf(conn, "GET /private/ws HTTP/1.1\r\nHost: app.example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nOrigin: %s\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", origin)
	var pairs []string
	for _, c := range cookies {
		pairs = append(pairs, c.Name+"="+c.Value)
	}
	_, _ = fmt.Fprintf(conn, "Cookie: %s\r\n\r\n", strings.Join(pairs, "; "))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if want == 0 && resp.StatusCode >= 400 || resp.StatusCode == want && resp.Header.Get("Seen-User") == "alice" {
		return
	}
	t.Errorf("a WebSocket of %s: %d %v", origin, resp.StatusCode, resp.Header)
}
