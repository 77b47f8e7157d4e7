package readings_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/gatehouse-auth/gatehouse/integration/readings"
)

// errNotSwitched says that an upgrade was not taken.
var errNotSwitched = errors.New("the connection was not switched")

// smuggle upgrades a connection to h2c with a request for an open path, and asks
// for a guarded one in it, as somebody else. It returns what that was answered.
func smuggle(t *testing.T, addr, host string, upgrade ...string) (string, error) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(patience))
	lines := append([]string{"GET /public/x HTTP/1.1", "Host: " + host}, upgrade...)
	if _, err := io.WriteString(conn, strings.Join(lines, "\r\n")+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(conn)
	resp, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		_ = resp.Body.Close()
		return "", fmt.Errorf("%w: %s", errNotSwitched, resp.Status)
	}
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, field := range [][2]string{
		{":method", "GET"}, {":scheme", "http"}, {":authority", host}, {":path", "/admin/x"}, {"remote-user", "admin"},
	} {
		if err := encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	framer := http2.NewFramer(conn, reader)
	const stream = 3 // 1 is the request that upgraded
	err = errors.Join(framer.WriteSettings(), framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: true,
	}))
	if err != nil {
		t.Fatal(err)
	}
	var text []byte
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return string(text), err
		}
		if settings, ok := frame.(*http2.SettingsFrame); ok && !settings.IsAck() {
			_ = framer.WriteSettingsAck()
		}
		data, ok := frame.(*http2.DataFrame)
		if !ok || data.StreamID != stream {
			continue
		}
		text = append(text, data.Data()...)
		if data.StreamEnded() {
			return string(text), nil
		}
	}
}

// h2c smuggling (Bishop Fox, 2020): Hypercorn takes h2c by default, and Caddy
// passes it on.
func TestGuard_NoRequestIsSmuggledInAnUpgrade(t *testing.T) {
	t.Parallel()
	server := readings.StartHypercorn(t)
	gate := start(t, []readings.Server{server})
	h2c := []string{"Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"}
	for name, to := range map[string][2]string{
		"Hypercorn itself":      {server.Addr, "app.localhost"},
		"Caddy without a guard": {gate, "plain-hypercorn.localhost"},
	} {
		text, err := smuggle(t, to[0], to[1], h2c...)
		if err != nil || !strings.Contains(text, "path=/admin/x\nuser=admin\n") {
			t.Errorf("%s answers %q (%v), so the test shows nothing", name, text, err)
		}
	}
	for _, upgrade := range [][]string{
		h2c,
		{"connection: upgrade,http2-settings", "upgrade: H2C", "http2-settings: AAMAAABkAAQAAP__"},
		{"Connection: HTTP2-Settings", "Connection: Upgrade", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"},
		{"Connection: Upgrade, HTTP2-Settings", "Upgrade: websocket, h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"},
		{"Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "Upgrade: websocket", "HTTP2-Settings: AAMAAABkAAQAAP__"},
		{"Connection: Upgrade, HTTP2-Settings", "Upgrade:", " h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"},
	} {
		for _, host := range []string{"admin-hypercorn.localhost", "public-hypercorn.localhost"} {
			if text, err := smuggle(t, gate, host, upgrade...); !errors.Is(err, errNotSwitched) || !strings.Contains(err.Error(), "200") {
				t.Errorf("%s, %q: %q, %v; want an ordinary answer", host, upgrade, text, err)
			}
		}
	}
	_, err := smuggle(t, gate, "admin-hypercorn.localhost", "Connection: Upgrade", "Upgrade: websocket",
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13")
	if errors.Is(err, errNotSwitched) {
		t.Errorf("a WebSocket does not pass: %v", err)
	}
}
