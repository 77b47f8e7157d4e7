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
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// streams is an app that streams: WebSocket-like upgrades and event streams that
// never end by themselves.
func streams(t *testing.T) string {
	t.Helper()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = conn.Close() }()
			fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello\n")
			_, _ = io.Copy(io.Discard, conn)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "data: hello\n\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	t.Cleanup(app.Close)
	return strings.TrimPrefix(app.URL, "http://")
}

func TestStream_EndsWithItsSession(t *testing.T) {
	r := serve(t, aliceLocal, "http://app.example.com {\n\tgatehouse\n\treverse_proxy "+streams(t)+"\n}")
	front := httptest.NewServer(r.srv[":80"])
	t.Cleanup(front.Close)
	for name, header := range map[string]string{
		"WebSocket":             "Connection: Upgrade\r\nUpgrade: websocket\r\n",
		"event stream":          "Accept: text/event-stream\r\n",
		"event stream, unasked": "Accept: */*\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			cookie := r.signIn("app.example.com", nil)
			conn, err := net.Dial("tcp", strings.TrimPrefix(front.URL, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: app.example.com\r\nCookie: %s\r\n%s\r\n", cookie, header)
			reader := bufio.NewReader(conn)
			for line := ""; !strings.Contains(line, "hello"); {
				if line, err = reader.ReadString('\n'); err != nil {
					t.Fatalf("the stream did not begin: %v", err)
				}
			}
			if err := r.app.shared.sessions.End(t.Context(), r.newest()); err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, reader); err != nil && strings.Contains(err.Error(), "timeout") {
				t.Error("the stream goes on after its session has ended")
			}
		})
	}
}

// newest is the session that was made last.
func (r *running) newest() uuid.UUID {
	r.t.Helper()
	rows, err := r.app.shared.store.ListSessions(r.t.Context(), tokenstore.SessionQuery{All: true, Limit: 1})
	if err != nil || len(rows) != 1 {
		r.t.Fatalf("listing sessions: %v %v", rows, err)
	}
	return rows[0].ID
}
