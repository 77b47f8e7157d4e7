package gateway

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Reload gives the gateway a new configuration, which counts for restarts too,
// and returns why it was refused, if it was.
func (n *Node) Reload(t testing.TB, caddyfile string) error {
	t.Helper()
	if err := n.writeCaddyfile(caddyfile); err != nil {
		t.Fatal(err)
	}
	_, err := n.Admin(t, http.MethodPost, "/load", "text/caddyfile", n.adorn(caddyfile))
	return err
}

// Admin asks the admin API. A status of 400 and above is an error.
func (n *Node) Admin(t testing.TB, method, path, contentType, body string) (string, error) {
	t.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", n.socket())
	}}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 30 * time.Second}

	r, err := http.NewRequestWithContext(t.Context(), method, "http://127.0.0.1"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	resp, err := client.Do(r)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	if resp.StatusCode >= http.StatusBadRequest {
		return string(answer), fmt.Errorf("%s: %s", resp.Status, answer)
	}
	return string(answer), nil
}
