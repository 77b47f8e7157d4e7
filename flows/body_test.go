package flows_test

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

	"github.com/gatehouse-auth/gatehouse/flows"
)

// slowWorld gives bodies little time.
func slowWorld(t *testing.T, portal bool, timeout time.Duration) *world {
	t.Helper()
	w := newWorld(t, worldOptions{portal: portal, clients: oauthClients()})
	w.gateway = w.gatewayWith(t, func(c *flows.Config) { c.BodyTimeout = timeout })
	return w
}

// dialed is a raw connection to a server of the world.
func dialed(t *testing.T, server *httptest.Server) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(time.Minute)) // ends a test that fails
	return conn, bufio.NewReader(conn)
}

// Slow bodies held connections for minutes (slowloris, R-U-Dead-Yet).
func TestBody_ASlowOneEnds(t *testing.T) {
	const form = "Content-Type: application/x-www-form-urlencoded\r\n"
	bodies := map[string]string{
		"of known length":      form + "Content-Length: 5000\r\n\r\ngrant_type=",
		"without a byte":       form + "Content-Length: 5000\r\n\r\n",
		"in chunks":            form + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		"in a chunk's header":  form + "Transfer-Encoding: chunked\r\n\r\n5;name=",
		"in the trailers":      form + "Transfer-Encoding: chunked\r\n\r\n0\r\nX-Trailer: ",
		"of a type not taken":  "Content-Type: text/plain\r\nContent-Length: 5000\r\n\r\nhello",
		"of one that is large": form + "Content-Length: 5000000\r\n\r\nhello",
	}
	for _, portal := range []bool{true, false} {
		w := slowWorld(t, portal, 20*time.Millisecond)
		server, prefix, host := w.portal, "/", "portal.test"+port(w.portal)
		if !portal {
			server, prefix, host = w.site, "/.gatehouse/", "app.sites.test"+port(w.site)
		}
		for _, target := range []string{
			"POST token", "POST par", "POST revoke", "POST introspect", "POST device_authorization", "POST userinfo", "POST login", "POST logout",
			"POST consent", "POST device", "POST device/decide", "POST authorize", "POST backchannel_logout/local", "POST nowhere", "PUT token", "GET jwks.json", "GET authorize", "GET login", "POST ",
		} {
			method, endpoint, _ := strings.Cut(target, " ")
			for name, rest := range bodies {
				conn, answers := dialed(t, server)
				_, _ = fmt.Fprintf(conn, "%s %s%s HTTP/1.1\r\nHost: %s\r\nAccept: text/html\r\n%s", method, prefix, endpoint, host, rest)
				resp, err := http.ReadResponse(answers, nil)
				if err != nil {
					t.Errorf("portal %t, %s, %s: %v", portal, target, name, err)
					continue
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				if _, err := answers.ReadByte(); err == nil || isTimeout(err) {
					t.Errorf("portal %t, %s, %s: the connection goes on: %v", portal, target, name, err)
				}
				if endpoint == "token" && method == "POST" && name == "in chunks" && resp.StatusCode != http.StatusRequestTimeout {
					t.Errorf("the token endpoint says %d", resp.StatusCode)
				}
				_ = conn.Close()
			}
		}
	}
}

func isTimeout(err error) bool {
	timeout, ok := err.(net.Error) //nolint:errorlint // a connection's own
	return ok && timeout.Timeout()
}

// A program that is not signed in and sends an app something slowly is answered, and
// does not hold the connection.
func TestBody_OfARequestThatMustSignInEnds(t *testing.T) {
	w := slowWorld(t, false, 20*time.Millisecond)
	for _, accept := range []string{"application/json", "text/html"} {
		conn, answers := dialed(t, w.site)
		_, _ = fmt.Fprintf(conn, "POST /upload HTTP/1.1\r\nHost: app.sites.test\r\nAccept: %s\r\nContent-Length: 5000\r\n\r\nhello", accept)
		resp, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if _, err := answers.ReadByte(); err == nil || isTimeout(err) {
			t.Errorf("%s: the connection goes on: %v", accept, err)
		}
	}
}

// An HTTP/2 stream has a deadline of its own.
func TestBody_ASlowOneEndsByHTTP2(t *testing.T) {
	w := slowWorld(t, false, 20*time.Millisecond)
	server := httptest.NewUnstartedServer(given.record(t, w.guard))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	body, never := io.Pipe()
	t.Cleanup(func() { _ = never.Close() })
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/.gatehouse/token", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	if resp.ProtoMajor != 2 || resp.StatusCode != http.StatusRequestTimeout || !strings.Contains(string(text), `"error":"invalid_request"`) {
		t.Errorf("HTTP/%d: %d %s", resp.ProtoMajor, resp.StatusCode, text)
	}
}

// The deadline of one body is not that of the next request, nor of what is done with
// the body.
func TestBody_ADeadlineIsForItsBodyAlone(t *testing.T) {
	const timeout = 300 * time.Millisecond
	w := slowWorld(t, true, timeout)
	conn, answers := dialed(t, w.portal)
	for round := range 3 {
		if round == 2 {
			time.Sleep(2 * timeout) // what is tested is that time passes and nothing happens
		}
		const form = "client_id=cli"
		_, _ = fmt.Fprintf(conn, "POST /device_authorization HTTP/1.1\r\nHost: portal.test%s\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s", port(w.portal), len(form), form)
		resp, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatalf("request %d: %v", round, err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK || resp.Close {
			t.Errorf("request %d: %d, close %t", round, resp.StatusCode, resp.Close)
		}
	}
}

func TestBody_IsBounded(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	for size, want := range map[int]int{60 << 10: http.StatusOK, 65 << 10: http.StatusBadRequest, 10 << 20: http.StatusBadRequest} {
		form := "client_id=cli&x=" + strings.Repeat("x", size)
		got := w.send(http.MethodPost, w.portalURL()+"/device_authorization", form, formType)
		if got.status != want || want == http.StatusBadRequest && (got.body["error"] != "invalid_request" || got.header.Get("Cache-Control") != "no-store") {
			t.Errorf("%d bytes: %d %s", size, got.status, got.text)
		}
	}
}
