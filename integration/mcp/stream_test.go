package mcp_test

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// subject is whom an access token is for.
func subject(t *testing.T, token string) string {
	t.Helper()
	_, rest, _ := strings.Cut(token, ".")
	payload, _, _ := strings.Cut(rest, ".")
	raw, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		Subject string `json:"sub"`
	}
	if err := json.Unmarshal(raw, &claims); err != nil {
		t.Fatal(err)
	}
	return claims.Subject
}

// post sends a message of the protocol by a token.
func (w *world) post(t *testing.T, token, session, message string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url, strings.NewReader(message))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "Authorization": "Bearer " + token, "Mcp-Session-Id": session,
	} {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	resp, err := new(http.Client).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

// stream has the server answer by events, which come one by one and not at the end, and
// revokes the person's sessions in between: the stream ends with them, and no later
// request passes.
func (w *world) stream(t *testing.T, token string) {
	begun := w.post(t, token, "", `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}`) //nolint:bodyclose // post closes it
	session := begun.Header.Get("Mcp-Session-Id")
	if begun.StatusCode != http.StatusOK || session == "" {
		t.Fatalf("initialize is answered with %d, session %q", begun.StatusCode, session)
	}
	_ = w.post(t, token, session, `{"jsonrpc":"2.0","method":"notifications/initialized"}`)                                                                                  //nolint:bodyclose // post closes it
	resp := w.post(t, token, session, `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"start-notification-stream","arguments":{"interval":100,"count":0}}}`) //nolint:bodyclose // post closes it
	if resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		t.Fatalf("the call is answered with %d %s", resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	events := bufio.NewReader(resp.Body)
	for range 2 { // the second one comes while the call is still answered
		if _, err := events.ReadString('\n'); err != nil {
			t.Fatalf("the stream ends by itself: %v", err)
		}
	}
	w.node.Verb(t, "sessions", "revoke", "--subject", subject(t, token))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, events)
	}()
	select {
	case <-ended:
	case <-time.After(20 * time.Second): // the server's calls never end
		t.Error("the stream goes on after the revocation")
	}
	if again := w.post(t, token, session, `{"jsonrpc":"2.0","id":3,"method":"tools/list"}`); again.StatusCode != http.StatusUnauthorized { //nolint:bodyclose // post closes it
		t.Errorf("after the revocation a request is answered with %d", again.StatusCode)
	}
}
