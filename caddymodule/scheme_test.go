package caddymodule

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
)

func TestForwardedScheme(t *testing.T) {
	for _, test := range []struct {
		lines []string
		want  string
		known bool
	}{
		{[]string{"https"}, "https", true},
		{[]string{"wss"}, "https", true}, // authelia#655
		{[]string{"ws"}, "http", true},
		{[]string{"WSS"}, "https", true},
		{[]string{" HttpS "}, "https", true},
		{[]string{"http"}, "http", true},
		{[]string{"wss, http"}, "https", true},
		{[]string{"ws,https"}, "http", true},
		{[]string{"http, https"}, "http", true},
		{[]string{"https", "http"}, "https", true},
		{[]string{"ws", "https"}, "http", true},
		{[]string{"", " , https"}, "https", true},
		{[]string{""}, "http", false},
		{[]string{","}, "http", false},
		{[]string{"on"}, "http", false},
		{[]string{"https:"}, "http", false},
		{[]string{"httpss"}, "http", false},
		{[]string{`"https"`}, "http", false},
		{[]string{"ftp, https"}, "http", false},
		{[]string{"https http"}, "http", false},
		{[]string{"https\x00"}, "http", false},
		{[]string{"ｈttps"}, "http", false},
		{[]string{"http\u017f"}, "http", false}, // folds to https
	} {
		if scheme, known := forwardedScheme(test.lines); scheme != test.want || known != test.known {
			t.Errorf("%q: %s %t, want %s %t", test.lines, scheme, known, test.want, test.known)
		}
	}
}

// trusting is serve with a server that trusts httptest's address as a proxy.
func trusting(t testing.TB, lines, sites string) *running {
	t.Helper()
	raw := strings.ReplaceAll(string(config(t, t.TempDir(), lines, sites)), `"listen"`,
		`"trusted_proxies": {"source": "static", "ranges": ["192.0.2.0/24"]}, "listen"`)
	r, err := start(t, []byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.stop)
	return r
}

// The handshake of a WebSocket behind Traefik (authelia#655).
func TestGuard_TakesWSSOfATrustedProxyForHTTPS(t *testing.T) {
	const site = "http://app.example.com {\n\tgatehouse\n" + echo + "}"
	handshake := func(r *running, scheme, proto string) int {
		cookie := r.signIn("app.example.com", nil)
		req := get("http://app.example.com/ws")
		req.Header.Set("Cookie", map[string]string{"https": "__Host-gatehouse=", "http": "gatehouse="}[scheme]+cookie.Value)
		req.Header.Set("Connection", "Upgrade")
		req.Header.Set("Upgrade", "websocket")
		req.Header.Set("Sec-WebSocket-Version", "13")
		req.Header.Set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
		req.Header.Set("Origin", scheme+"://app.example.com")
		req.Header.Set("X-Forwarded-Proto", proto)
		return r.do(req).Code
	}
	r := trusting(t, aliceLocal, site)
	for _, test := range []struct {
		scheme, proto string
		want          int
	}{
		{"https", "wss", 200},
		{"https", "WSS, http", 200},
		{"https", "https", 200},
		{"http", "ws", 200},
		{"http", "http", 200},
		{"https", "ws", 401},
		{"http", "wss", 401},
		{"https", "on", 401},
	} {
		if got := handshake(r, test.scheme, test.proto); got != test.want {
			t.Errorf("a browser on %s and X-Forwarded-Proto: %s: %d, want %d", test.scheme, test.proto, got, test.want)
		}
	}
	if got := handshake(serve(t, aliceLocal, site), "https", "wss"); got != http.StatusUnauthorized {
		t.Errorf("a stranger's word is believed: %d", got)
	}
}

func TestGuard_AnUnknownForwardedProtoIsNoHTTPSAndLoggedOnce(t *testing.T) {
	var mu sync.Mutex
	var log bytes.Buffer
	r := trusting(t, aliceLocal, "http://app.example.com {\n\tgatehouse\n"+echo+"}")
	r.app.logger = slog.New(slog.NewTextHandler(writerFunc(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return log.Write(p)
	}), nil))
	for range 3 {
		req := navigation("http://app.example.com/")
		req.Header.Set("X-Forwarded-Proto", "h2c")
		wantStatus(t, r.do(req), http.StatusSeeOther)
	}
	if got := strings.Count(log.String(), "X-Forwarded-Proto"); got != 1 || !strings.Contains(log.String(), "h2c") {
		t.Errorf("logged %d times:\n%s", got, log.String())
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
