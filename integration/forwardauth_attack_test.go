package integration_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

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
