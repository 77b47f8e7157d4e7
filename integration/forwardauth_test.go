package integration_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/integration/apache"
	"github.com/gatehouse-auth/gatehouse/integration/browser"
	"github.com/gatehouse-auth/gatehouse/integration/gateway"
	"github.com/gatehouse-auth/gatehouse/integration/haproxy"
	"github.com/gatehouse-auth/gatehouse/integration/nginx"
)

// asking is a proxy that asks a gateway, and its application.
type asking struct {
	node    *gateway.Node
	address string
	roots   *x509.CertPool
}

var askingNames = []string{"app.example.com", "other.example.com"}

// documented are the blocks of a language in docs/forward-auth.md.
func documented(t *testing.T, language string) []string {
	t.Helper()
	text, err := os.ReadFile("../docs/forward-auth.md")
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, found := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		blocks = append(blocks, found[1])
	}
	if len(blocks) == 0 {
		t.Fatalf("docs/forward-auth.md has no block of %s", language)
	}
	return blocks
}

// asked runs a gateway that a proxy of a dialect may ask.
func asked(t *testing.T, dialect string) *gateway.Node {
	t.Helper()
	return gateway.Start(t, gateway.Options{Caddyfile: trustLoopback + strings.TrimPrefix(global(localUsers(t)), "{\n") +
		"http:// {\n\tgatehouse_forward_auth /private/* {\n\t\tproxy " + dialect + "\n\t\thosts " + strings.Join(askingNames, " ") + "\n\t}\n}\n"})
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

func TestForwardAuth_Nginx(t *testing.T) {
	t.Parallel()
	n, app := asked(t, "nginx"), askingApp(t)
	place := strings.NewReplacer(
		"http://gatehouse:9091", fmt.Sprintf("http://127.0.0.1:%d", n.HTTPPort), "http://app:3000", "http://"+app,
		"listen 443 ssl;", "listen 127.0.0.1:%PORT% ssl;", "app.example.com;", strings.Join(askingNames, " ")+";",
		"/etc/ssl/example.com.pem", "cert.pem", "/etc/ssl/example.com.key", "key.pem",
		"include gatehouse-ask.conf;", "include gatehouse-ask.conf; client_max_body_size 0; proxy_http_version 1.1; "+
			"proxy_set_header Upgrade $websocket; proxy_set_header Connection $connection_upgrade;",
	)
	blocks := documented(t, "nginx")
	p := nginx.Start(t, nginx.Options{Names: askingNames, Server: place.Replace(blocks[2]), Files: map[string]string{
		"gatehouse.conf": place.Replace(blocks[0]), "gatehouse-ask.conf": place.Replace(blocks[1]),
	}})
	asking{n, p.Address(), p.RootCAs}.walk(t)
}

func TestForwardAuth_HAProxy(t *testing.T) {
	t.Parallel()
	n, app := asked(t, "haproxy"), askingApp(t)
	gate := fmt.Sprintf("127.0.0.1:%d", n.HTTPPort)
	place := strings.NewReplacer("bind :443", "bind %ADDRESS%", "/etc/ssl/example.com.pem", "%FOLDER%/both.pem", "http://127.0.0.1:9091", "http://"+gate)
	p := haproxy.Start(t, askingNames, "global\n\tlua-load %FOLDER%/gatehouse.lua\ndefaults\n\tmode http\n\ttimeout connect 10s\n\ttimeout client 60s\n\ttimeout server 60s\n"+
		place.Replace(documented(t, "haproxy")[0])+"backend gatehouse\n\tserver one "+gate+"\nbackend app\n\tserver one "+app+"\n",
		map[string]string{"gatehouse.lua": documented(t, "lua")[0]})
	asking{n, p.Address, p.RootCAs}.walk(t)
}

func TestForwardAuth_Apache(t *testing.T) {
	t.Parallel()
	n, app := asked(t, "apache"), askingApp(t)
	place := strings.NewReplacer(
		"*:443", "%ADDRESS%", "ServerName app.example.com", "ServerName "+askingNames[0]+"\n\tServerAlias "+strings.Join(askingNames[1:], " "),
		"/etc/ssl/example.com.pem", "%FOLDER%/cert.pem", "/etc/ssl/example.com.key", "%FOLDER%/key.pem",
		"/etc/apache2/gatehouse.lua", "%FOLDER%/gatehouse.lua", "http://app:3000", "http://"+app,
	)
	lua := strings.Replace(documented(t, "lua")[1], "http://gatehouse:9091", fmt.Sprintf("http://127.0.0.1:%d", n.HTTPPort), 1)
	p := apache.Start(t, askingNames, place.Replace(documented(t, "apache")[0]), map[string]string{"gatehouse.lua": lua})
	asking{n, p.Address, p.RootCAs}.walk(t)
}

func TestForwardAuth_Caddy(t *testing.T) {
	t.Parallel()
	n, app := asked(t, "caddy"), askingApp(t)
	site := strings.NewReplacer(
		"gatehouse:9091", fmt.Sprintf("127.0.0.1:%d", n.HTTPPort), "app:3000", app,
		"app.example.com {", strings.Join(askingNames, ", ")+" {\n\ttls internal",
	).Replace(documented(t, "caddyfile")[1])
	front := gateway.Start(t, gateway.Options{Caddyfile: "{\n}\n" + site})
	address := fmt.Sprintf("127.0.0.1:%d", front.HTTPSPort)
	awaitTLS(t, front, address)
	asking{n, address, front.RootCAs()}.walk(t)
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

// awaitTLS waits until a Caddy has made its certificates.
func awaitTLS(t *testing.T, n *gateway.Node, address string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		ready := true
		for _, name := range askingNames {
			conn, err := tls.Dial("tcp", address, &tls.Config{RootCAs: n.RootCAs(), ServerName: name})
			if ready = ready && err == nil; err == nil {
				_ = conn.Close()
			}
		}
		if ready {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the Caddy in front has no certificates")
		}
	}
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

// attack sends what must not reach the application, or not as it is.
func (a asking) attack(t *testing.T) {
	t.Helper()
	const site = "https://app.example.com"
	// gRPC has its refusals in a 200.
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		got := a.send(t, nil, method, site+"/private/x", nil, "Content-Type: application/grpc", "TE: trailers")
		if strings.Contains(got.body, "/private/x") {
			t.Errorf("gRPC passes: %d\n%s", got.status, got.body)
		}
	}
	got := a.send(t, nil, http.MethodGet, site+"/open", nil, "Remote_User: mallory", "Remote.Groups: mallory")
	if strings.Contains(got.body, "mallory") {
		t.Errorf("another spelling: %d\n%s", got.status, got.body)
	}
	got = a.send(t, nil, http.MethodGet, site+"/open", nil, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA")
	if strings.Contains(got.body, "Upgrade: h2c") {
		t.Errorf("an upgrade to h2c (Bishop Fox, 2020): %d\n%s", got.status, got.body)
	}
	// Descriptions of another request (CVE-2026-40575).
	for _, headers := range [][]string{
		{"X-Original-URL: https://app.example.com/open", "X-Original-Method: GET"},
		{"X-Forwarded-Uri: /open", "X-Forwarded-Method: GET", "X-Forwarded-Proto: https", "X-Forwarded-Host: app.example.com"},
		{"X-Forwarded-Uri: /open", "X-Original-URL: https://app.example.com/open", "Connection: close, X-Forwarded-Uri, X-Original-URL, X-Original-Method, X-Forwarded-Method"},
	} {
		if got := a.send(t, nil, http.MethodGet, site+"/private/x", nil, headers...); got.status != http.StatusUnauthorized {
			t.Errorf("%q: %d\n%s", headers, got.status, got.body)
		}
	}
	if got := a.send(t, nil, http.MethodPost, site+"/open", nil, "X-HTTP-Method-Override: DELETE"); got.status != http.StatusBadRequest {
		t.Errorf("another method: %d\n%s", got.status, got.body)
	}
	a.paths(t)
}

// paths sends every path of the table of what servers read differently.
func (a asking) paths(t *testing.T) {
	t.Helper()
	table, err := os.ReadFile("../flows/reading/testdata/paths.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(table)) {
		path, want, _ := strings.Cut(strings.ReplaceAll(line, "admin", "private"), "\t")
		if !strings.HasPrefix(path, "/") || !strings.Contains(path, "private") || strings.HasPrefix(want, "open") {
			continue
		}
		conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 30 * time.Second}, "tcp", a.address, &tls.Config{RootCAs: a.roots, ServerName: "app.example.com"})
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		_, _ = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: app.example.com\r\nConnection: close\r\n\r\n", path)
		text, _ := io.ReadAll(conn)
		_ = conn.Close()
		if strings.Contains(string(text), "\nbody: ") {
			t.Errorf("%s reaches the application:\n%s", path, text)
		}
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
