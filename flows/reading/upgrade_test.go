package reading_test

import (
	"bufio"
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/reading"
)

// read parses a request as net/http does.
func read(t *testing.T, lines ...string) *http.Request {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(strings.Join(lines, "\r\n") + "\r\n\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// RFC 9110, section 7.8; RFC 6455, section 4.1; h2c smuggling (Bishop Fox, 2020).
func TestUpgrade_IsOneProtocolOrNone(t *testing.T) {
	const get, host = "GET / HTTP/1.1", "Host: a"
	for _, tt := range []struct {
		want  string
		lines []string
	}{
		{"websocket", []string{get, host, "Connection: Upgrade", "Upgrade: websocket"}},
		{"WebSocket", []string{get, host, "connection: keep-alive, uPGRADE", "upgrade:  WebSocket\t"}},
		{"websocket", []string{get, host, "Connection: close", "Connection: upgrade", "Upgrade: websocket"}},
		{"", []string{"POST / HTTP/1.1", host, "Connection: Upgrade", "Upgrade: websocket"}},
		{"", []string{"get / HTTP/1.1", host, "Connection: Upgrade", "Upgrade: websocket"}},
		{"", []string{"GET / HTTP/1.0", host, "Connection: Upgrade", "Upgrade: websocket"}},
		{"", []string{get, host, "Connection: Upgrade", "Upgrade: websocket", "Content-Length: 3", "", "abc"}},
		{"", []string{get, host, "Connection: Upgrade", "Upgrade: websocket", "Transfer-Encoding: chunked", "", "0"}},
		{"", []string{get, host, "Upgrade: websocket"}},
		{"", []string{get, host, "Connection: close", "Upgrade: websocket"}},
		{"", []string{get, host, "Connection: Upgrade", "Upgrade: websocket, h2c"}},
		{"", []string{get, host, "Connection: Upgrade", "Upgrade: websocket,"}},
		{"", []string{get, host, "Connection: Upgrade", "Upgrade: websocket", "Upgrade: h2c"}},
		{"", []string{get, host, "Connection: Upgrade", "Upgrade: h2c", "Upgrade: websocket"}},
		{"", []string{get, host, "Connection: Upgrade", "Upgrade: websocket", " , h2c"}}, // obs-fold
		{"", []string{get, host, "Connection: Upgrade", "Upgrade: \"websocket\""}},
		{"", []string{get, host, "Connection: Upgrade", "Upgrade:"}},
		{"h2c", []string{get, host, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"}},
		{"SPDY/3.1", []string{"POST / HTTP/1.1", host, "Connection: Upgrade", "Upgrade: SPDY/3.1"}},
		{"TLS/1.3", []string{"OPTIONS * HTTP/1.1", host, "Connection: Upgrade", "Upgrade: TLS/1.3"}},
	} {
		if got := reading.Upgrade(read(t, tt.lines...)); got != tt.want {
			t.Errorf("%q upgrades to %q, want %q", tt.lines, got, tt.want)
		}
	}
	r := read(t, get, host, "Connection: Upgrade", "Upgrade: websocket")
	r.ProtoMajor, r.ProtoMinor = 2, 0 // which has no Upgrade (RFC 9113, section 8.2.2)
	if got := reading.Upgrade(r); got != "" {
		t.Errorf("HTTP/2 upgrades to %q", got)
	}
}

func TestStripUpgrade_LeavesAnOrdinaryRequest(t *testing.T) {
	for connection, want := range map[string][]string{
		"Upgrade, HTTP2-Settings":              nil,
		"close, upgrade ,http2-settings":       {"close"},
		"keep-alive\r\nConnection: Upgrade, X": {"keep-alive", "X"},
	} {
		r := read(t, "GET / HTTP/1.1", "Host: a", "Connection: "+connection, "Upgrade: h2c", "Upgrade: x", "http2-settings: AAMAAABkAAQAAP__", "X: y")
		reading.StripUpgrade(r.Header)
		if got := r.Header["Connection"]; strings.Join(got, "|") != strings.Join(want, "|") {
			t.Errorf("Connection %q is left as %q", connection, got)
		}
		if len(r.Header["Upgrade"])+len(r.Header["Http2-Settings"]) > 0 || r.Header.Get("X") != "y" {
			t.Errorf("left are %v", r.Header)
		}
	}
}

func TestCheckProtocol_RefusesWhatCarriesRequests(t *testing.T) {
	for _, protocol := range []string{"h2c", "H2C", "http/1.1", "HTTP/2.0", "TLS/1.3", "tls", "h2", "", "a b", "a,b", "a/b/c", "/1", "x/", "websocket, h2c"} {
		if err := reading.CheckProtocol(protocol); err == nil {
			t.Errorf("%q may be named", protocol)
		}
	}
	for _, protocol := range []string{"spdy/3.1", "SPDY/3.1", "websocket", "tcp", "tailscale-control-protocol"} {
		if err := reading.CheckProtocol(protocol); err != nil {
			t.Errorf("%q: %v", protocol, err)
		}
	}
}
