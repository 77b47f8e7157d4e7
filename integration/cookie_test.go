package integration_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/integration/gateway"
)

func TestCookie_ForgedIsARequestWithoutOne(t *testing.T) {
	t.Parallel()
	n := gateway.Start(t, gateway.Options{
		Caddyfile: global(localUsers(t)) + guarded("http://app.localhost", upstreamAddr(t), "") +
			guarded("http://other.localhost", upstreamAddr(t), ""),
	})
	b := newBrowser(t, n)
	const site = "http://app.localhost/"
	signIn(t, b, site, "alice", alicePassword)
	good := ""
	for _, cookie := range b.Cookies(site) {
		if cookie.Name == "gatehouse" {
			good = cookie.Value
		}
	}
	if !strings.HasPrefix(good, "gts_") {
		t.Fatalf("the session's cookie is %q", good)
	}
	middle := len(good) / 2
	for name, forged := range map[string]string{
		"empty":           "",
		"prefix only":     "gts_",
		"cut short":       good[:len(good)-1],
		"cut in half":     good[:middle],
		"extended":        good + "A",
		"padded":          good + "=",
		"one bit changed": good[:middle] + string(rune(good[middle]^1)) + good[middle+1:],
		"another prefix":  "gtr_" + strings.TrimPrefix(good, "gts_"),
		"case changed":    strings.ToUpper(good),
		"quoted":          `"` + good + `"`,
		"huge":            strings.Repeat("A", 8000),
		"not base64":      "gts_" + strings.Repeat("!", len(good)-4),
		"twice in one":    good + good,
	} {
		t.Run(name, func(t *testing.T) {
			stranger := newBrowser(t, n)
			page := stranger.Send(http.MethodGet, site, "Accept: text/html", "Cookie: gatehouse="+forged)
			if name == "quoted" && page.Status == http.StatusOK {
				return // quotes are allowed around a cookie's value (RFC 6265)
			}
			wantStatus(t, page, http.StatusSeeOther)
		})
	}
	t.Run("junk in front of the good one", func(t *testing.T) {
		page := newBrowser(t, n).Send(http.MethodGet, site, "Cookie: gatehouse=junk; gatehouse="+good)
		wantStatus(t, page, http.StatusOK)
	})
	t.Run("of another site", func(t *testing.T) {
		page := newBrowser(t, n).Send(http.MethodGet, "http://other.localhost/", "Accept: text/html", "Cookie: gatehouse="+good)
		wantStatus(t, page, http.StatusSeeOther)
	})
}

func TestChallenge_FitsTheCaller(t *testing.T) {
	t.Parallel()
	n := gateway.Start(t, gateway.Options{
		Caddyfile: global(localUsers(t)) + guarded("http://app.localhost", upstreamAddr(t), ""),
	})
	b := newBrowser(t, n)
	const site = "http://app.localhost/api"
	t.Run("script", func(t *testing.T) {
		page := b.Fetch(http.MethodGet, site)
		wantStatus(t, page, http.StatusUnauthorized)
		if got := page.Header.Get("Content-Type"); got != "application/problem+json" {
			t.Errorf("Content-Type is %q", got)
		}
		if !strings.Contains(page.Body, `"login_url"`) {
			t.Errorf("no login_url: %s", page.Body)
		}
	})
	t.Run("program", func(t *testing.T) {
		page := b.Send(http.MethodGet, site, "Accept: */*")
		wantStatus(t, page, http.StatusUnauthorized)
		if got := page.Header.Get("WWW-Authenticate"); !strings.HasPrefix(got, "Bearer ") {
			t.Errorf("WWW-Authenticate is %q", got)
		}
	})
	t.Run("htmx", func(t *testing.T) {
		page := b.Fetch(http.MethodGet, site, "HX-Request: true", "HX-Current-URL: http://app.localhost/list")
		if got := page.Header.Get("HX-Redirect"); !strings.Contains(got, "return_to=%2Flist") {
			t.Errorf("HX-Redirect is %q", got)
		}
	})
	t.Run("gRPC", func(t *testing.T) {
		page := b.Send(http.MethodPost, site, "Content-Type: application/grpc")
		if got := page.Header.Get("Grpc-Status"); got != "16" {
			t.Errorf("grpc-status is %q, want 16", got)
		}
	})
	for _, page := range []string{"Accept: text/html", "Accept: */*"} {
		if got := b.Send(http.MethodGet, site, page).Header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s: Cache-Control is %q", page, got)
		}
	}
}
