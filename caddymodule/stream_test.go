package caddymodule

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
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
			stream := openStream(t, front, fmt.Sprintf("Host: app.example.com\r\nCookie: %s\r\n%s", cookie, header))
			if err := r.app.shared.sessions.End(t.Context(), r.newest()); err != nil {
				t.Fatal(err)
			}
			stream.wantEnd(t)
		})
	}
}

// docs/step-up.md: require is checked when a request begins. What is under way goes on.
func TestStream_OutlivesMaxAge(t *testing.T) {
	r := serve(t, aliceLocal, "http://app.example.com {\n\tgatehouse {\n\t\trequire max_age 1m\n\t}\n\trespond /ask ok\n\treverse_proxy "+streams(t)+"\n}")
	front := httptest.NewServer(r.srv[":80"])
	t.Cleanup(front.Close)
	cookie := r.signIn("app.example.com", func(c *identity.Claims) { c.AuthTime = time.Now().Add(-55 * time.Second) })
	stream := openStream(t, front, fmt.Sprintf("Host: app.example.com\r\nCookie: %s\r\n", cookie))
	for range time.NewTicker(50 * time.Millisecond).C {
		if r.do(get("http://app.example.com/ask", cookie)).Code == http.StatusUnauthorized {
			break // the sign-in has become too old
		}
	}
	r.app.shared.flights.sweep()
	r.app.shared.flights.sweep() // one that was met twice is watched, and looked after
	if err := stream.conn.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, stream); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the stream does not go on: %v", err)
	}
	if err := r.app.shared.sessions.End(t.Context(), r.newest()); err != nil {
		t.Fatal(err)
	}
	if err := stream.conn.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	stream.wantEnd(t)
}

// A program's token has no session that could end.
func TestStream_EndsWithATokenThatHasNoSession(t *testing.T) {
	t.Setenv("GATEHOUSE_TEST_ROBOT", robotSecret)
	r := serve(t, aliceLocal+apiClient, "http://auth.example.com {\n\tgatehouse_portal\n}\n"+
		"http://api.example.com {\n\tgatehouse\n\treverse_proxy "+streams(t)+"\n}")
	front := httptest.NewServer(r.srv[":80"])
	t.Cleanup(front.Close)
	for name, header := range map[string]string{
		"WebSocket":             "Connection: Upgrade\r\nUpgrade: websocket\r\n",
		"event stream":          "Accept: text/event-stream\r\n",
		"event stream, unasked": "Accept: */*\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			token := r.token("http://api.example.com")
			stream := openStream(t, front, "Host: api.example.com\r\nAuthorization: Bearer "+token+"\r\n"+header)
			wantStatus(t, r.post("/revoke", url.Values{"token": {token}}), http.StatusOK)
			stream.wantEnd(t)
		})
	}
}

// The gateway that a stream began under hears nothing after a reload.
func TestStream_EndsWithATokenThatIsRevokedAfterAReload(t *testing.T) {
	t.Setenv("GATEHOUSE_TEST_ROBOT", robotSecret)
	raw := config(t, t.TempDir(), aliceLocal+apiClient, "http://auth.example.com {\n\tgatehouse_portal\n}\n"+
		"http://api.example.com {\n\tgatehouse\n\treverse_proxy "+streams(t)+"\n}")
	begun := func() *running {
		r, err := start(t, raw)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	first := begun()
	front := httptest.NewServer(first.srv[":80"])
	t.Cleanup(front.Close)
	token := first.token("http://api.example.com")
	var opened []openedStream
	for _, headers := range []string{"Connection: Upgrade\r\nUpgrade: websocket\r\n", "Accept: text/event-stream\r\n", "Accept: */*\r\n"} {
		opened = append(opened, openStream(t, front, "Host: api.example.com\r\nAuthorization: Bearer "+token+"\r\n"+headers))
	}
	second := begun()
	t.Cleanup(second.stop)
	first.stop()
	begun().stop() // a reload that fails late: the second configuration is in force again
	wantStatus(t, second.post("/revoke", url.Values{"token": {token}}), http.StatusOK)
	for _, stream := range opened {
		stream.wantEnd(t)
	}
}

// A client that leaves has the reverse proxy panic with [http.ErrAbortHandler].
// What was kept for the stream must go all the same: else stores that a reload
// replaced are never closed.
func TestStream_IsForgottenWhenItsClientLeaves(t *testing.T) {
	r := serve(t, aliceLocal, "http://app.example.com {\n\tgatehouse\n\treverse_proxy "+streams(t)+"\n}")
	front := httptest.NewServer(r.srv[":80"])
	t.Cleanup(front.Close)
	cookie := r.signIn("app.example.com", nil)
	for name, accept := range map[string]string{"asked": "text/event-stream", "unasked": "*/*"} {
		t.Run(name, func(t *testing.T) {
			stream := openStream(t, front, fmt.Sprintf("Host: app.example.com\r\nCookie: %s\r\nAccept: %s\r\n", cookie, accept))
			r.app.shared.flights.watchAll()
			if n := r.app.shared.held(); n != 1 {
				t.Fatalf("%d streams are held, want 1", n)
			}
			if err := stream.conn.Close(); err != nil {
				t.Fatal(err)
			}
			for deadline := time.Now().Add(30 * time.Second); r.app.shared.held() != 0; time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("the stream is held although its client has left")
				}
			}
		})
	}
}

// held is how many streams keep the entry.
func (s *shared) held() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.streams
}

// openedStream is a stream that has begun.
type openedStream struct {
	*bufio.Reader
	conn net.Conn
}

func openStream(t *testing.T, front *httptest.Server, headers string) openedStream {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(front.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\n%s\r\n", headers)
	reader := bufio.NewReader(conn)
	for line := ""; !strings.Contains(line, "hello"); {
		if line, err = reader.ReadString('\n'); err != nil {
			t.Fatalf("the stream did not begin: %v", err)
		}
	}
	return openedStream{reader, conn}
}

func (s openedStream) wantEnd(t *testing.T) {
	t.Helper()
	if _, err := io.Copy(io.Discard, s); err != nil && strings.Contains(err.Error(), "timeout") {
		t.Error("the stream goes on although nothing vouches for it")
	}
}

// No CORS holds a page back that opens a WebSocket, and SameSite holds no cookie
// back from a sibling's page.
func TestWebSocket_IsRefusedToPagesOfOthers(t *testing.T) {
	r := serve(t, aliceLocal, "http://app.example.com, http://www.example.com, http://*.apps.example.com {\n\tgatehouse /private/*\n"+echo+"}\n"+
		"http://trusting.example.com {\n\troute {\n\t\t@trusted header Origin https://spa.example.com\n\t\trequest_header @trusted -Origin\n\t\tgatehouse\n"+echo+"\t}\n}")
	tests := map[string]struct {
		host, path, upgrade string
		origins             []string
		want                int
	}{
		"a program":               {"app.example.com", "/private/x", "websocket", nil, 200},
		"own page":                {"app.example.com", "/private/x", "websocket", []string{"http://app.example.com"}, 200},
		"own page behind TLS":     {"app.example.com", "/private/x", "websocket", []string{"https://app.example.com"}, 200},
		"another port":            {"app.example.com:8080", "/private/x", "websocket", []string{"http://APP.example.com:5173"}, 200},
		"another name of it":      {"app.example.com", "/private/x", "websocket", []string{"http://www.example.com"}, 200},
		"another site":            {"app.example.com", "/private/x", "websocket", []string{"https://evil.test"}, 403},
		"sibling":                 {"app.example.com", "/private/x", "websocket", []string{"https://evil.example.com"}, 403},
		"sibling of the wildcard": {"one.apps.example.com", "/private/x", "websocket", []string{"https://two.apps.example.com"}, 403},
		"suffix":                  {"app.example.com", "/private/x", "websocket", []string{"https://app.example.com.evil.test"}, 403},
		"user":                    {"app.example.com", "/private/x", "websocket", []string{"https://app.example.com@evil.test"}, 403},
		"sandboxed page":          {"app.example.com", "/private/x", "websocket", []string{"null"}, 403},
		"nothing":                 {"app.example.com", "/private/x", "websocket", []string{""}, 403},
		"extension":               {"app.example.com", "/private/x", "websocket", []string{"app://app.example.com"}, 403},
		"two":                     {"app.example.com", "/private/x", "websocket", []string{"http://app.example.com", "https://evil.test"}, 403},
		"in capitals":             {"app.example.com", "/private/x", "WebSocket", []string{"https://evil.test"}, 403},
		"open to all":             {"app.example.com", "/public", "websocket", []string{"https://evil.test"}, 200},
		"no WebSocket":            {"app.example.com", "/private/x", "", []string{"https://evil.test"}, 200},
		"trusted":                 {"trusting.example.com", "/", "websocket", []string{"https://spa.example.com"}, 200},
		"beside the trusted":      {"trusting.example.com", "/", "websocket", []string{"https://evil.test"}, 403},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			client, _, _ := strings.Cut(tt.host, ":")
			req := get("http://"+tt.host+tt.path, r.signIn(client, nil))
			if tt.upgrade != "" {
				req.Header.Set("Connection", "Upgrade")
				req.Header.Set("Upgrade", tt.upgrade)
			}
			req.Header["Origin"] = tt.origins
			wantStatus(t, r.do(req), tt.want)
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
