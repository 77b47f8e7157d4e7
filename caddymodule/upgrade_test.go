package caddymodule

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// switcher is an app that takes every upgrade that it is offered, as a server
// that speaks h2c does, and tells what it was sent.
func switcher(t *testing.T) string {
	t.Helper()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		protocol := strings.Join(r.Header["Upgrade"], "+")
		if protocol == "" {
			fmt.Fprintf(w, "connection=%q settings=%q", r.Header["Connection"], r.Header["Http2-Settings"])
			return
		}
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\nhello\n", protocol)
	}))
	t.Cleanup(app.Close)
	return strings.TrimPrefix(app.URL, "http://")
}

// ask sends a request byte for byte and returns the status and what follows.
func ask(t *testing.T, front *httptest.Server, lines ...string) (status int, body string) {
	t.Helper()
	conn, err := net.Dial("tcp", front.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, strings.Join(lines, "\r\n")+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return resp.StatusCode, resp.Header.Get("Upgrade")
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// In an upgraded connection nobody sees the requests: h2c smuggling (Bishop Fox,
// 2020; RFC 9113, appendix B).
func TestGuard_PassesNoUpgradeButASingleWebSocket(t *testing.T) {
	app := switcher(t)
	r := serve(t, aliceLocal, "http://app.example.com {\n\tgatehouse /private/*\n\treverse_proxy "+app+"\n}\n"+
		"http://closed.example.com {\n\tgatehouse\n\treverse_proxy "+app+"\n}")
	front := httptest.NewServer(r.srv[":80"])
	t.Cleanup(front.Close)
	for name, lines := range map[string][]string{
		"h2c":               {"Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"},
		"h2c in capitals":   {"Connection: upgrade,http2-settings", "upgrade: H2C", "http2-settings: AAMAAABkAAQAAP__"},
		"two Connections":   {"Connection: HTTP2-Settings", "Connection: Upgrade", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"},
		"unknown":           {"Connection: Upgrade", "Upgrade: foo"},
		"TLS":               {"Connection: Upgrade", "Upgrade: TLS/1.3"},
		"SPDY":              {"Connection: Upgrade", "Upgrade: SPDY/3.1"},
		"two":               {"Connection: Upgrade", "Upgrade: websocket, h2c"},
		"two lines":         {"Connection: Upgrade", "Upgrade: websocket", "Upgrade: h2c"},
		"folded":            {"Connection: Upgrade", "Upgrade: websocket", " , h2c"},
		"with content":      {"Connection: Upgrade", "Upgrade: websocket", "Content-Length: 0", "Transfer-Encoding: chunked", "", "0"},
		"settings alone":    {"Connection: HTTP2-Settings", "HTTP2-Settings: AAMAAABkAAQAAP__"},
		"not in Connection": {"Connection: keep-alive", "Upgrade: h2c"},
	} {
		for host, path := range map[string]string{"app.example.com": "/open", "closed.example.com": "/private/x"} {
			t.Run(name+" "+host, func(t *testing.T) {
				cookie := "Cookie: " + r.signIn(host, nil).String()
				status, body := ask(t, front, append([]string{"GET " + path + " HTTP/1.1", "Host: " + host, cookie}, lines...)...)
				if status != http.StatusOK || body != `connection=[] settings=[]` {
					t.Errorf("status %d, %s", status, body)
				}
			})
		}
	}
	for name, lines := range map[string][]string{
		"WebSocket":           {"Connection: Upgrade", "Upgrade: websocket"},
		"Firefox's":           {"Connection: keep-alive, Upgrade", "Upgrade: websocket"},
		"in capitals":         {"connection: UPGRADE", "upgrade: WebSocket"},
		"with settings of h2": {"Connection: Upgrade, HTTP2-Settings", "Upgrade: websocket", "HTTP2-Settings: AAMAAABkAAQAAP__"},
	} {
		t.Run(name, func(t *testing.T) {
			cookie := "Cookie: " + r.signIn("app.example.com", nil).String()
			for _, path := range []string{"/open", "/private/x"} {
				status, body := ask(t, front, append([]string{"GET " + path + " HTTP/1.1", "Host: app.example.com", cookie}, lines...)...)
				if status != http.StatusSwitchingProtocols || !strings.EqualFold(body, "websocket") {
					t.Errorf("%s: status %d, %s", path, status, body)
				}
			}
		})
	}
}

// kubectl exec needs SPDY/3.1 (kubernetes/kubernetes#89163).
func TestGuard_PassesAnUpgradeThatAllMatchingGuardsName(t *testing.T) {
	r := serve(t, aliceLocal, "http://app.example.com {\n\tgatehouse /k8s/* {\n\t\tupgrades SPDY/3.1 tcp\n\t}\n"+
		"\tgatehouse /late/* {\n\t\tupgrades spdy/3.1\n\t}\n\tgatehouse /k8s/deep/*\n\tgatehouse /k8s/both/* {\n\t\tupgrades spdy/3.1\n\t}\n\tgatehouse /other/*\n"+
		"\treverse_proxy "+switcher(t)+"\n}")
	front := httptest.NewServer(r.srv[":80"])
	t.Cleanup(front.Close)
	cookie := "Cookie: " + r.signIn("app.example.com", nil).String()
	for _, tt := range []struct {
		path, protocol, cookie string
		want                   int
	}{
		{"/k8s/exec", "SPDY/3.1", cookie, 101},
		{"/k8s/exec", "tcp", cookie, 101},
		{"/k8s/exec", "h2c", cookie, 200},
		{"/k8s/exec", "spdy/3.1, tcp", cookie, 200},
		{"/k8s/exec", "SPDY/3.1", "X: y", 401},
		{"/k8s/both/exec", "SPDY/3.1", cookie, 101},
		{"/k8s/both/exec", "tcp", cookie, 200},
		{"/k8s/deep/exec", "SPDY/3.1", cookie, 200},
		{"/late/exec", "SPDY/3.1", cookie, 101},
		{"/other/exec", "SPDY/3.1", cookie, 200},
		{"/open", "SPDY/3.1", cookie, 200},
		{"/open", "SPDY/3.1", "X: y", 200},
	} {
		status, body := ask(t, front, "POST "+tt.path+" HTTP/1.1", "Host: app.example.com", tt.cookie, "Content-Length: 0",
			"Connection: Upgrade", "Upgrade: "+tt.protocol)
		if status != tt.want || status == 101 && !strings.EqualFold(body, tt.protocol) || status == 200 && body != `connection=[] settings=[]` {
			t.Errorf("%s to %s: status %d, want %d: %s", tt.path, tt.protocol, status, tt.want, body)
		}
	}
}

// What a matcher opens to programs must not be what ends with a session.
func TestGuard_UpgradeThatIsNamedEndsWithItsSession(t *testing.T) {
	r := serve(t, aliceLocal, "http://app.example.com {\n\tgatehouse {\n\t\tupgrades websocket2\n\t}\n\treverse_proxy "+held(t)+"\n}")
	front := httptest.NewServer(r.srv[":80"])
	t.Cleanup(front.Close)
	stream := openStream(t, front, fmt.Sprintf("Host: app.example.com\r\nCookie: %s\r\nConnection: Upgrade\r\nUpgrade: websocket2\r\n",
		r.signIn("app.example.com", nil)))
	if err := r.app.shared.sessions.End(t.Context(), r.newest()); err != nil {
		t.Fatal(err)
	}
	stream.wantEnd(t)
}

// held is an app that upgrades to what it is asked and keeps the connection.
func held(t *testing.T) string {
	t.Helper()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\nhello\n", r.Header.Get("Upgrade"))
		_, _ = io.Copy(io.Discard, conn)
	}))
	t.Cleanup(app.Close)
	return strings.TrimPrefix(app.URL, "http://")
}

func TestGuard_TakesUpgradesOutOfTrailers(t *testing.T) {
	seen := make(chan http.Header, 1)
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		seen <- r.Trailer.Clone()
	}))
	t.Cleanup(app.Close)
	r := serve(t, aliceLocal, "http://app.example.com {\n\tgatehouse /private/*\n\treverse_proxy "+strings.TrimPrefix(app.URL, "http://")+"\n}")
	front := httptest.NewServer(r.srv[":80"])
	t.Cleanup(front.Close)
	for _, announced := range []string{"Upgrade, Connection, Http2-Settings, X-Sum", "X-Sum"} {
		status, _ := ask(t, front, "POST /open HTTP/1.1", "Host: app.example.com", "Transfer-Encoding: chunked", "Trailer: "+announced, "",
			"1", "a", "0", "Upgrade: h2c", "Connection: Upgrade", "Http2-Settings: AAMAAABkAAQAAP__", "X-Sum: 1")
		if trailer := <-seen; status != http.StatusOK || len(trailer["Upgrade"])+len(trailer["Connection"])+len(trailer["Http2-Settings"]) > 0 || trailer.Get("X-Sum") != "1" {
			t.Errorf("status %d, trailers %v", status, trailer)
		}
	}
}
