package crash_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache/redis/redistest"
	"github.com/gatehouse-auth/gatehouse/integration/crash"
	"github.com/gatehouse-auth/gatehouse/integration/gateway"
	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres/postgrestest"
)

// revocations that are measured.
const revocations = 50

func TestRevocation_IsHeardByTheOtherNodeWithinASecond(t *testing.T) {
	config := caddyfile(t, "reverse_proxy "+talker(t), secretA)
	nodes := startNodes(t, postgrestest.URL(t), redistest.URL(t), config, config)
	v := newVisit(t, nodes...)
	var pulse crash.Pulse
	go pulse.Run(t.Context())
	var refused, closed []time.Duration
	for range revocations {
		cookie, _ := v.signIn()
		if !v.good(1, cookie) {
			t.Fatal("the other node does not know the session")
		}
		hungUp := talk(t, nodes[1], cookie.jar)
		v.signOut()
		confirmed := time.Now()
		for v.good(1, cookie) {
			if time.Since(confirmed) > time.Minute {
				t.Fatal("the other node goes on for a minute")
			}
		}
		refused = append(refused, pulse.Ran(confirmed, time.Now()))
		select {
		case at := <-hungUp:
			closed = append(closed, max(pulse.Ran(confirmed, at), 0))
		case <-time.After(time.Minute):
			t.Fatal("the WebSocket goes on for a minute")
		}
	}
	within(t, "refused by the other node", refused, time.Second)
	within(t, "WebSocket closed by the other node", closed, time.Second)
}

// TestRevocation_WithoutRedisIsKnownWithinTheInterval cannot be announced, so
// the other node learns it from the store.
func TestRevocation_WithoutRedisIsKnownWithinTheInterval(t *testing.T) {
	t.Parallel()
	const interval = 3 * time.Second
	redis := redistest.Start(t)
	config := caddyfile(t, inside, secretA, fmt.Sprintf("session {\nrevalidate %v\n}", interval))
	nodes := startNodes(t, postgrestest.URL(t), redis.URL(), config, config)
	v := newVisit(t, nodes...)
	var cookies []siteCookie
	var browsers []visit
	for range 5 {
		b := newVisit(t, nodes...)
		cookie, _ := b.signIn()
		if !v.good(1, cookie) {
			t.Fatal("the other node does not know the session")
		}
		cookies, browsers = append(cookies, cookie), append(browsers, b)
	}
	redis.Kill(t)
	var pulse crash.Pulse
	go pulse.Run(t.Context())
	var took []time.Duration
	for i, b := range browsers {
		b.signOut()
		confirmed := time.Now()
		for v.good(1, cookies[i]) {
			if time.Since(confirmed) > time.Minute {
				t.Fatal("the other node never learns of it")
			}
			<-time.After(10 * time.Millisecond)
		}
		took = append(took, pulse.Ran(confirmed, time.Now()))
	}
	within(t, fmt.Sprintf("refused by the other node without Redis, interval %v,", interval), took, interval+time.Second)
}

// within prints how long something took, and fails when the longest is above
// the bar.
func within(t *testing.T, what string, took []time.Duration, bar time.Duration) {
	t.Helper()
	slices.Sort(took)
	longest := took[len(took)-1]
	t.Logf("%s after its confirmation: median %.1f ms, max %.1f ms of %d",
		what, 1e3*took[len(took)/2].Seconds(), 1e3*longest.Seconds(), len(took))
	if longest > bar {
		t.Errorf("%s: %v is above %v", what, longest, bar)
	}
}

// talker is an application that keeps an upgraded connection open for as long as
// the caller does.
func talker(t *testing.T) string {
	t.Helper()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			return
		}
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello\n")
		_, _ = io.Copy(io.Discard, conn)
	}))
	t.Cleanup(app.Close)
	return strings.TrimPrefix(app.URL, "http://")
}

// talk opens a WebSocket at a node and tells when the node closes it.
func talk(t *testing.T, n *gateway.Node, jar *cookiejar.Jar) <-chan time.Time {
	t.Helper()
	conn, err := net.Dial("tcp", n.Route("app.localhost:80"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	u, err := url.Parse(site + "/")
	if err != nil {
		t.Fatal(err)
	}
	cookie := jar.Cookies(u)[0]
	_, err = fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\nCookie: %s=%s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", u.Host, cookie.Name, cookie.Value)
	if err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(conn)
	for line := ""; line != "hello\n"; {
		if line, err = reader.ReadString('\n'); err != nil {
			t.Fatalf("the WebSocket did not begin: %v", err)
		}
	}
	closed := make(chan time.Time, 1)
	go func() {
		if _, err := io.Copy(io.Discard, reader); !errors.Is(err, net.ErrClosed) {
			closed <- time.Now()
		}
	}()
	return closed
}
