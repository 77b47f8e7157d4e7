package integration_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/integration/gateway"
)

// addresses that a sign-in must not return to; each has led away from some
// gateway, or round in a circle.
var addresses = []string{
	"//evil.example", "///evil.example", "////evil.example/x", "https://evil.example", "http:evil.example",
	"https:evil.example", "http:///evil.example", "/\\evil.example", "\\\\evil.example", "/\\/evil.example",
	"/\t/evil.example", "/%09/evil.example", "/\n/evil.example", "/\r\n//evil.example", " //evil.example",
	"//evil.example/%2f..", "/%2f/evil.example", "//%65vil.example", "/.//evil.example", "/..//evil.example",
	"https://app.localhost@evil.example", "https://evil.example#.app.localhost", "https://evil.example?.app.localhost",
	"https://app.localhost.evil.example", "https://evil.example\\.app.localhost", "//app.localhost:4443/",
	"https://app.localhost:4443/", "https://[::ffff:1.2.3.4]/", "https://3232235777/", "//127.0.0.1:9/",
	"javascript:alert(1)", "java\tscript:alert(1)", "data:text/html,<script>alert(1)</script>", "vbscript:x",
	"/x\r\nSet-Cookie: gatehouse=x", "/x\r\nLocation: //evil.example",
	"/.gatehouse/logout", "/.gatehouse/login", "/.gatehouse/callback/local?code=x", "/%2egatehouse/logout",
	"/x/../.gatehouse/logout", "", "evil.example", "?", "#", "/" + strings.Repeat("a", 100<<10),
}

func TestReturnAddress_NeverLeadsAway(t *testing.T) {
	t.Parallel()
	n := gateway.Start(t, gateway.Options{
		Caddyfile: global(localUsers(t)) + guarded("http://app.localhost", upstreamAddr(t), ""),
	})
	for _, address := range addresses {
		t.Run(address[:min(len(address), 40)], func(t *testing.T) {
			b := newBrowser(t, n)
			b.StopAt("logout")
			begin := "http://app.localhost/.gatehouse/login?return_to=" + url.QueryEscape(address)
			page := b.Step(begin)
			if page.Status == http.StatusRequestURITooLong || page.Status == http.StatusRequestHeaderFieldsTooLarge {
				return
			}
			page = login(t, b, b.Open(begin), "alice", alicePassword)
			if got := page.URL.Host; got != "app.localhost" {
				t.Fatalf("landed at %s:\n%s", got, page.Path())
			}
			wantStatus(t, page, http.StatusOK)
			if strings.HasPrefix(page.URL.Path, "/.gatehouse") {
				t.Errorf("landed on our own %s", page.URL.Path)
			}
			for _, hop := range page.Trail {
				if u, err := url.Parse(hop.URL); err != nil || u.Host != "app.localhost" {
					t.Errorf("went by way of %s", hop.URL)
				}
			}
		})
	}
}

func TestReturnAddress_InThePathItselfNeverLeadsAway(t *testing.T) {
	t.Parallel()
	n := gateway.Start(t, gateway.Options{
		Caddyfile: global(localUsers(t)) + guarded("http://app.localhost", upstreamAddr(t), ""),
	})
	for _, path := range []string{"//evil.example", "//evil.example/%2f..", "/%5cevil.example", "/%09/evil.example", "/.//evil.example"} {
		t.Run(path, func(t *testing.T) {
			b := newBrowser(t, n)
			page := login(t, b, b.Open("http://app.localhost"+path), "alice", alicePassword)
			if got := page.URL.Host; got != "app.localhost" {
				t.Errorf("landed at %s:\n%s", got, page.Path())
			}
		})
	}
}

func TestReturnAddress_KeepsWhatWasAskedForToTheByte(t *testing.T) {
	t.Parallel()
	n := gateway.Start(t, gateway.Options{
		Caddyfile: global(localUsers(t)) + guarded("http://app.localhost", upstreamAddr(t), ""),
	})
	for _, asked := range []string{
		"/reports?year=2026&next=https%3A%2F%2Felsewhere.example%2F", "/a%20b/%C3%A4?q=%26%3D&r=a+b", "/q?a=1&a=2&b", "/a/b;c=d?e=f;g",
	} {
		b := newBrowser(t, n)
		page := login(t, b, b.Open("http://app.localhost"+asked), "alice", alicePassword)
		if got := page.URL.RequestURI(); got != asked {
			t.Errorf("asked for %s, landed on %s", asked, got)
		}
	}
}
