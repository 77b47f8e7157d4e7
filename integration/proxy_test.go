package integration_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/gatehouse-auth/gatehouse/integration/browser"
	"github.com/gatehouse-auth/gatehouse/integration/chromium"
	"github.com/gatehouse-auth/gatehouse/integration/gateway"
	"github.com/gatehouse-auth/gatehouse/integration/nginx"
)

const trustLoopback = "{\n\tservers {\n\t\ttrusted_proxies static 127.0.0.1/8 ::1\n\t}\n"

// corpNames are what browsers know the sites behind the proxy by.
var corpNames = []string{"auth.corp.test", "app.corp.test", "one.apps.corp.test"}

// behindNginx runs a gateway of plain http behind an nginx that ends TLS.
func behindNginx(t *testing.T, caddyfile string, o nginx.Options) (*gateway.Node, *nginx.Proxy) {
	t.Helper()
	n := gateway.Start(t, gateway.Options{Caddyfile: caddyfile})
	o.Upstream, o.Names = fmt.Sprintf("127.0.0.1:%d", n.HTTPPort), corpNames
	return n, nginx.Start(t, o)
}

func proxiedBrowser(t *testing.T, n *gateway.Node, p *nginx.Proxy) *browser.Browser {
	t.Helper()
	return browser.New(t, browser.Options{
		Route: func(string) string { return p.Address() }, RootCAs: p.RootCAs, Learn: n.Secrets.Learn,
	})
}

// corpSites are a portal and its sites, none of them listed by "site".
func corpSites(t *testing.T, options string, lines ...string) string {
	t.Helper()
	up := upstreamAddr(t)
	return options + strings.TrimPrefix(global(lines...), "{\n") + "http://auth.corp.test {\n\tgatehouse_portal\n}\n" +
		guarded("http://app.corp.test, http://*.apps.corp.test", up, "")
}

func TestBehindNginx_APortalServesItsSites(t *testing.T) {
	t.Parallel()
	n, p := behindNginx(t, corpSites(t, trustLoopback, "issuer https://auth.corp.test", localUsers(t)), nginx.Options{})
	b := proxiedBrowser(t, n, p)
	page := signIn(t, b, "https://app.corp.test/reports?year=2026", "alice", alicePassword)
	if got := page.URL.String(); got != "https://app.corp.test/reports?year=2026" || !strings.Contains(page.Body, "Remote-User: alice\n") {
		t.Fatalf("landed on %s\n%s", got, page.Text())
	}
	page = b.Open("https://one.apps.corp.test/x")
	if got := page.URL.String(); page.Status != http.StatusOK || got != "https://one.apps.corp.test/x" {
		t.Errorf("the second site: %d at %s\n%s", page.Status, got, page.Path())
	}
	for _, host := range corpNames {
		for _, c := range b.Cookies("https://" + host) {
			if !c.Secure && c.Name == "gatehouse" {
				t.Errorf("%s: the cookie %s is not Secure", host, c.Name)
			}
		}
	}
	wantStatus(t, signOut(t, b, "https://app.corp.test"), http.StatusOK)
	if signedIn(t, b, "https://one.apps.corp.test/") {
		t.Error("still signed in at the other site")
	}
	report := n.Verb(t, "doctor")
	for _, want := range []string{"status       ok", "site         https://app.corp.test", "site         https://*.apps.corp.test"} {
		if !strings.Contains(report, want) {
			t.Errorf("doctor does not say %q:\n%s", want, report)
		}
	}
	if strings.Contains(report, "http://app") || strings.Contains(n.Log.Text(), "plain http") {
		t.Errorf("something is said of plain http:\n%s\n%s", report, n.Log.Text())
	}
}

// Traefik says ws and wss of a WebSocket's handshake (authelia#655).
func TestBehindNginx_AWebSocketFindsItsSession(t *testing.T) {
	t.Parallel()
	// An upstream that speaks no WebSocket, but answers its handshake.
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			return
		}
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSeen-User: %s\r\n\r\n", r.Header.Get("Remote-User"))
		_, _ = conn.Read(make([]byte, 1))
	}))
	t.Cleanup(up.Close)
	caddyfile := trustLoopback + strings.TrimPrefix(global(localUsers(t)), "{\n") + guarded("http://app.corp.test", strings.TrimPrefix(up.URL, "http://"), "")
	for _, test := range []struct {
		upgraded string
		want     int
	}{{"wss", http.StatusSwitchingProtocols}, {"WSS", http.StatusSwitchingProtocols}, {"ws", http.StatusUnauthorized}, {"on", http.StatusUnauthorized}} {
		n, p := behindNginx(t, caddyfile, nginx.Options{Upgraded: test.upgraded})
		b := proxiedBrowser(t, n, p)
		signIn(t, b, "https://app.corp.test/", "alice", alicePassword)
		conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 30 * time.Second}, "tcp", p.Address(), &tls.Config{RootCAs: p.RootCAs, ServerName: "app.corp.test"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
		_, _ = fmt.Fprint(conn, "GET /ws HTTP/1.1\r\nHost: app.corp.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nOrigin: https://app.corp.test\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
		for _, c := range b.Cookies("https://app.corp.test") {
			_, _ = fmt.Fprintf(conn, "Cookie: %s=%s\r\n", c.Name, c.Value)
		}
		_, _ = fmt.Fprint(conn, "\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		_ = conn.Close()
		if resp.StatusCode != test.want || test.want == http.StatusSwitchingProtocols && resp.Header.Get("Seen-User") != "alice" {
			t.Errorf("X-Forwarded-Proto: %s: %d %v, want %d", test.upgraded, resp.StatusCode, resp.Header, test.want)
		}
	}
}

// A forgotten trusted_proxies, as a real browser meets it, at a site of its own and at
// a portal. What it sends (Origin, Fetch Metadata) is the browser's doing.
func TestBehindNginx_ThatIsNotTrustedIsNamed(t *testing.T) {
	up := upstreamAddr(t)
	single := strings.TrimPrefix(global(localUsers(t)), "") + guarded("http://app.corp.test", up, "")
	portal := corpSites(t, "{\n", "issuer https://auth.corp.test", localUsers(t))
	for name, test := range map[string]struct {
		caddyfile string
		proxy     nginx.Options
		form      bool
		says      string
	}{
		"site":                      {single, nginx.Options{}, true, "trusted_proxies"},
		"site, silent proxy":        {single, nginx.Options{Silent: true}, true, "trusted_proxies"},
		"portal":                    {portal, nginx.Options{}, false, "trusted_proxies"},
		"trusted, but silent proxy": {trustLoopback + strings.TrimPrefix(single, "{\n"), nginx.Options{Silent: true}, true, "X-Forwarded-Proto"},
	} {
		t.Run(name, func(t *testing.T) {
			n, p := behindNginx(t, test.caddyfile, test.proxy)
			tab := chromium.Start(t, "MAP *:443 "+p.Address())
			if err := chromedp.Do(tab, chromedp.Navigate("https://app.corp.test/reports")); err != nil {
				t.Fatal(err)
			}
			if test.form {
				if err := chromedp.Do(tab, chromedp.WaitVisible(chromedp.CSS(`input[name="password"]`)),
					chromedp.SendKeys(chromedp.CSS(`input[name="username"]`), "alice"), chromedp.SendKeys(chromedp.CSS(`input[name="password"]`), alicePassword)); err != nil {
					t.Fatal(err)
				}
				if _, err := chromedp.RunResponse(tab, chromedp.Click(chromedp.CSS(`form button`))); err != nil {
					t.Fatal(err)
				}
			}
			text, err := chromedp.Run(tab, chromedp.Text(chromedp.CSS("body")))
			if err != nil || !strings.Contains(text, test.says) {
				t.Errorf("the page does not name %s: %v\n%s", test.says, err, text)
			}
			n.Log.Await(t, 0, "counts as plain http although the browser uses https", 10*time.Second)
		})
	}
}

// Images, frames and prefetched links of any page begin no sign-in of its visitors.
func TestBehindNginx_APageOfElsewhereBeginsNoSignIn(t *testing.T) {
	caddyfile := trustLoopback + "\tgatehouse {\n\t\tprovider github {\n\t\t\tclient_id x\n\t\t\tclient_secret {env.GITHUB}\n\t\t\tallow anyone\n\t\t}\n\t}\n}\n" +
		guarded("http://app.corp.test", upstreamAddr(t), "") +
		"http://one.apps.corp.test {\n\theader Content-Type text/html\n\trespond `<title>evil</title>" +
		`<img src="https://app.corp.test/.gatehouse/login?image"><script src="https://app.corp.test/.gatehouse/login?script"></script>` +
		`<link rel="stylesheet" href="https://app.corp.test/.gatehouse/login?style"><link rel="prefetch" href="https://app.corp.test/.gatehouse/login?prefetch">` +
		`<iframe src="https://app.corp.test/.gatehouse/login?frame"></iframe><object data="https://app.corp.test/.gatehouse/login?object"></object>` + "`\n}\n"
	n := gateway.Start(t, gateway.Options{Caddyfile: caddyfile, Env: []string{"GITHUB=a-client-secret"}})
	p := nginx.Start(t, nginx.Options{Upstream: fmt.Sprintf("127.0.0.1:%d", n.HTTPPort), Names: corpNames})
	tab := chromium.Start(t, "MAP *:443 "+p.Address()+", MAP github.com 127.0.0.1:1")
	if err := chromedp.Do(tab, chromedp.Navigate("https://one.apps.corp.test/")); err != nil {
		t.Fatal(err)
	}
	var asked []string
	await(t, 30*time.Second, "six requests for the sign-in", func() bool {
		asked = slices.DeleteFunc(p.Served(t), func(line string) bool { return !strings.Contains(line, "/.gatehouse/login") })
		return len(asked) >= 6
	})
	for _, line := range asked {
		if line != "GET /.gatehouse/login 403" {
			t.Errorf("a page of elsewhere begins a sign-in: %s", line)
		}
	}
	_ = chromedp.Do(tab, chromedp.Navigate("https://app.corp.test/")) // GitHub is not there
	await(t, 30*time.Second, "a person's sign-in", func() bool { return slices.Contains(p.Served(t), "GET /.gatehouse/login 303") })
}

// Slow bodies end by themselves, at the very server that people run.
func TestSlowBody_EndsAtTheGateway(t *testing.T) {
	t.Parallel()
	n := gateway.Start(t, gateway.Options{Caddyfile: global(localUsers(t)) + guarded("http://app.corp.test", upstreamAddr(t), "")})
	for _, target := range []string{"/.gatehouse/token", "/.gatehouse/login", "/.gatehouse/backchannel_logout/local", "/.gatehouse/nowhere", "/upload"} {
		t.Run(target, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", n.HTTPPort))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.Close() })
			_ = conn.SetDeadline(time.Now().Add(55 * time.Second)) // Caddy's own is a minute and more
			_, _ = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: app.corp.test\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 5000\r\n\r\ngrant_type=", target)
			answers := bufio.NewReader(conn)
			resp, err := http.ReadResponse(answers, nil)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode < 400 {
				t.Errorf("status %d", resp.StatusCode)
			}
			_ = resp.Body.Close()
		})
	}
}
