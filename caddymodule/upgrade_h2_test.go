package caddymodule

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// askH2 sends the fields of a request, pseudo-headers first, and returns the
// status, or "" when the stream was reset.
func askH2(t *testing.T, front *httptest.Server, fields ...string) (status string) {
	t.Helper()
	conn, err := tls.Dial("tcp", front.Listener.Addr().String(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, field := range fields {
		name, value, _ := strings.Cut(field, " ")
		if err := encoder.WriteField(hpack.HeaderField{Name: name, Value: value}); err != nil {
			t.Fatal(err)
		}
	}
	framer := http2.NewFramer(conn, conn)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	_, err = io.WriteString(conn, http2.ClientPreface)
	err = errors.Join(err, framer.WriteSettings(), framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: true,
	}))
	if err != nil {
		t.Fatal(err)
	}
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		switch f := frame.(type) {
		case *http2.MetaHeadersFrame:
			return f.PseudoValue("status")
		case *http2.RSTStreamFrame, *http2.GoAwayFrame:
			return ""
		}
	}
}

// RFC 9113, section 8.2.2: HTTP/2 has no upgrades, and no absolute form.
func TestGuard_HTTP2HasNoUpgradesAndNoTargetWithoutAPath(t *testing.T) {
	seen := make(chan string, 20)
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		seen <- fmt.Sprintf("%s %s %q", r.Method, r.RequestURI, append(r.Header["Upgrade"], append(r.Header["Connection"], r.Header["Http2-Settings"]...)...))
	}))
	t.Cleanup(app.Close)
	r := serve(t, aliceLocal, "http://app.example.com {\n\tgatehouse /admin/*\n\treverse_proxy "+strings.TrimPrefix(app.URL, "http://")+"\n}")
	front := httptest.NewUnstartedServer(r.srv[":80"])
	front.EnableHTTP2 = true
	front.StartTLS()
	t.Cleanup(front.Close)
	get := []string{":method GET", ":scheme https", ":authority app.example.com"}
	for _, fields := range [][]string{
		append(get, ":path /open"),
		append(get, ":path /open", "http2-settings AAMAAABkAAQAAP__"),
	} {
		if got := askH2(t, front, fields...); got != "200" {
			t.Fatalf("%q is answered %q", fields, got)
		}
		if got := <-seen; got != "GET /open []" {
			t.Errorf("%q: the upstream saw %s", fields, got)
		}
	}
	for _, fields := range [][]string{
		append(get, ":path /open", "upgrade h2c", "connection Upgrade, HTTP2-Settings", "http2-settings AAMAAABkAAQAAP__"),
		append(get, ":path x:admin/secret"),
		append(get, ":path http:admin/secret"),
		append(get, ":path *"),
		append(get, ":path /x/..;/admin/y"),
		{":method CONNECT", ":authority app.example.com:443"},
		{":method CONNECT", ":protocol connect-udp", ":scheme https", ":authority app.example.com", ":path /open"},
	} {
		if got := askH2(t, front, fields...); got != "" && got[0] != '4' {
			t.Errorf("%q is answered %s", fields, got)
		}
	}
	select {
	case got := <-seen:
		t.Errorf("the upstream saw %s", got)
	default:
	}
}
