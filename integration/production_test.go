package integration_test

import (
	"crypto/tls"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache/redis/redistest"
	"github.com/gatehouse-auth/gatehouse/integration/browser"
	"github.com/gatehouse-auth/gatehouse/integration/gateway"
	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres/postgrestest"
)

// startProduction runs caddyfiles/production.Caddyfile as it stands, with a
// Postgres, a Redis and Caddy's own certificate authority.
func startProduction(t *testing.T) *gateway.Node {
	t.Helper()
	n := gateway.Start(t, gateway.Options{
		Caddyfile: example(t, "production.Caddyfile"),
		Env:       sharedEnv(postgrestest.URL(t), redistest.URL(t)),
	})
	for _, name := range []string{"auth.localhost", "app.localhost", "wiki.localhost"} {
		// Caddy makes certificates in the background, and uses them a moment
		// after it has logged that.
		await(t, time.Minute, "the certificate of "+name, func() bool {
			d := tls.Dialer{Config: &tls.Config{ServerName: name, RootCAs: n.RootCAs(), MinVersion: tls.VersionTLS12}}
			conn, err := d.DialContext(t.Context(), "tcp", n.Route(name+":443"))
			if err != nil {
				return false
			}
			return conn.Close() == nil
		})
	}
	return n
}

// checkOneSignIn signs in at one site and then opens the other.
func checkOneSignIn(t *testing.T, n *gateway.Node, app, wiki string) {
	t.Helper()
	b := newBrowser(t, n)
	page := signIn(t, b, app+"/reports?year=2026", "alice", alicePassword)
	if got, want := page.URL.String(), app+"/reports?year=2026"; got != want {
		t.Errorf("landed on %s, want %s", got, want)
	}
	page = b.Open(wiki + "/")
	if !strings.HasPrefix(page.URL.String(), wiki) || !strings.Contains(page.Body, "You are alice") {
		t.Errorf("the second site leads to %s:\n%s%s", page.URL, page.Path(), page.Text())
	}
	for _, site := range []string{app, wiki} {
		checkSecureCookies(t, b, site)
	}
}

// checkSecureCookies: over https our session cookies are __Host-.
func checkSecureCookies(t *testing.T, b *browser.Browser, site string) {
	t.Helper()
	found := false
	for _, cookie := range b.Cookies(site + "/") {
		found = found || cookie.Name == "__Host-gatehouse"
		if cookie.Name == "gatehouse" {
			t.Errorf("%s set a cookie without __Host- over https", site)
		}
	}
	if !found {
		t.Errorf("%s set no cookie __Host-gatehouse", site)
	}
}

func TestProduction_OneSignInServesBothSites(t *testing.T) {
	t.Parallel()
	n := startProduction(t)
	checkOneSignIn(t, n, fmt.Sprintf("https://app.localhost:%d", n.HTTPSPort), fmt.Sprintf("https://wiki.localhost:%d", n.HTTPSPort))
}

// TestProduction_BehindPublishedPorts: a container listens on https_port, its
// host publishes that as 443, and so the browser's addresses have no port.
func TestProduction_BehindPublishedPorts(t *testing.T) {
	t.Parallel()
	checkOneSignIn(t, startProduction(t), "https://app.localhost", "https://wiki.localhost")
}
