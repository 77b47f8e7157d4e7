package upgrade_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/integration/browser"
	"github.com/gatehouse-auth/gatehouse/integration/gateway"
	"github.com/gatehouse-auth/gatehouse/integration/openid"
	"github.com/gatehouse-auth/gatehouse/integration/upstream"
)

// The addresses of testdata/portal.Caddyfile and testdata/alone.Caddyfile.
const (
	portal = "http://auth.localhost"
	app    = "http://app.localhost"
	staff  = "http://staff.localhost"
	mail   = "http://mail.localhost" // its upstream gets the provider's token
	alone  = "http://alone.localhost"

	wikiCallback = "http://wiki.localhost/callback"
	wikiGoodbye  = "http://wiki.localhost/goodbye"

	// Databases know these two, so they are always the same: addresses of this
	// machine that nothing else uses.
	ssoAddress  = "127.45.0.1:18080"
	wikiAddress = "127.45.0.1:18081"
)

// The passwords of the users there, and the secrets of clients.
const (
	alicePassword   = "wonderland"
	bobPassword     = "jabberwocky"
	malloryPassword = "looking glass"

	wikiSecret = "a secret of the client wiki, for these tests"
	apiSecret  = "a secret of the client api, for these tests"
)

// world is what the nodes of a test have in common.
type world struct {
	app     *upstream.Server
	sso     *openid.Provider
	secrets *gateway.Secrets
	stores  []string // environment: which stores
}

// newWorld has a provider and an upstream, and nodes on the given token store and
// cache, as a Caddyfile names them.
func newWorld(t *testing.T, store, cache string, env ...string) *world {
	t.Helper()
	w := &world{
		app: upstream.Start(t), secrets: new(gateway.Secrets),
		sso: openid.Serve(t, listen(t, ssoAddress), ssoAddress, portal+"/callback/sso"),
	}
	w.sso.Learn(w.secrets.Learn)
	w.stores = append([]string{
		"TOKEN_STORE=" + store, "CACHE=" + cache, "UPSTREAM=" + w.app.Addr,
		"GATEHOUSE_SECRET=a secret of these databases, for tests alone",
		"WIKI_SECRET=" + wikiSecret, "API_SECRET=" + apiSecret, "SSO_SECRET=" + openid.ClientSecret,
	}, env...)
	return w
}

// start starts a node of today, or with a binary another.
func (w *world) start(t *testing.T, binary string) *gateway.Node {
	t.Helper()
	return gateway.Start(t, gateway.Options{
		Caddyfile: caddyfile(t, "portal.Caddyfile"), Env: w.stores, Secrets: w.secrets, Binary: binary,
	})
}

// listen waits until an address is free: another run of these tests may have it.
func listen(t *testing.T, address string) net.Listener {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	for {
		listener, err := net.Listen("tcp", address)
		if err == nil {
			return listener
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("waiting for an address that the databases know: %v", err)
		}
	}
}

func caddyfile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func newBrowser(t *testing.T, n *gateway.Node) *browser.Browser {
	t.Helper()
	return browser.New(t, browser.Options{Route: to(n), Learn: n.Secrets.Learn})
}

// to is the way to a node, and to what has an address of its own.
func to(n *gateway.Node) func(string) string {
	return func(address string) string {
		if address == ssoAddress {
			return address
		}
		return n.Route(address)
	}
}

// await asks until ok, and fails the test after half a minute.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// host is an origin's.
func host(origin string) string { return strings.TrimPrefix(origin, "http://") }
