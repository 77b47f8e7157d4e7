package integration_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
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
)

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

type answered struct {
	status int
	body   string
	header http.Header
	proto  int
}

// send sends a request as a program does, by HTTP/1.1, with headers "Name: value".
func (a asking) send(t *testing.T, cookies []*http.Cookie, method, address string, body io.Reader, headers ...string) answered {
	t.Helper()
	return a.do(t, false, cookies, method, address, body, headers...)
}

func (a asking) do(t *testing.T, http2 bool, cookies []*http.Cookie, method, address string, body io.Reader, headers ...string) answered {
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
		if name == "Cookie" {
			req.Header.Set(name, value)
			continue
		}
		req.Header.Add(name, value)
	}
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: a.roots},
		ForceAttemptHTTP2: http2,
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
	return answered{resp.StatusCode, string(text), resp.Header, resp.ProtoMajor}
}

// raw sends bytes, and returns what comes back until the proxy closes the connection.
func (a asking) raw(t *testing.T, request string) string {
	t.Helper()
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 30 * time.Second}, "tcp", a.address, &tls.Config{RootCAs: a.roots, ServerName: "app.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	_, _ = io.WriteString(conn, request) // which the proxy may refuse before it is all there
	text, _ := io.ReadAll(conn)
	return string(text)
}

// reached reports whether an answer is the application's.
func reached(answer string) bool { return strings.Contains(answer, "\nbody: ") }

// cookieHeader is a Cookie header of a browser's cookies.
func cookieHeader(cookies []*http.Cookie) string {
	pairs := make([]string, len(cookies))
	for i, c := range cookies {
		pairs[i] = c.Name + "=" + c.Value
	}
	return strings.Join(pairs, "; ")
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
	_, _ = fmt.Fprintf(conn, "Cookie: %s\r\n\r\n", cookieHeader(cookies))
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

// handshakeByHTTP2 opens a WebSocket as a page of an origin does by HTTP/2 (RFC 8441):
// without a key. It returns the status, or "" where the proxy resets the stream.
func (a asking) handshakeByHTTP2(t *testing.T, cookies []*http.Cookie, origin string) string {
	t.Helper()
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 30 * time.Second}, "tcp", a.address,
		&tls.Config{RootCAs: a.roots, ServerName: "app.example.com", NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(60 * time.Second))
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, field := range [][2]string{
		{":method", "CONNECT"},
		{":protocol", "websocket"},
		{":scheme", "https"},
		{":path", "/private/ws"},
		{":authority", "app.example.com"},
		{"sec-websocket-version", "13"},
		{"origin", origin},
		{"cookie", cookieHeader(cookies)},
	} {
		if err := encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]}); err != nil {
			t.Fatal(err)
		}
	}
	framer := http2.NewFramer(conn, conn)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	_, err = io.WriteString(conn, http2.ClientPreface)
	if err = errors.Join(err, framer.WriteSettings(), framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true})); err != nil {
		t.Fatal(err)
	}
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return ""
		}
		switch f := frame.(type) {
		case *http2.MetaHeadersFrame:
			return f.PseudoValue("status")
		case *http2.RSTStreamFrame, *http2.GoAwayFrame:
			return ""
		case *http2.SettingsFrame:
			if !f.IsAck() {
				_ = framer.WriteSettingsAck()
			}
		}
	}
}
