package oauth_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/crypto/bcrypt"

	"github.com/gatehouse-auth/gatehouse/integration/gateway"
	"github.com/gatehouse-auth/gatehouse/integration/upstream"
)

// The users.
const (
	alicePassword = "wonderland"
	bobPassword   = "jabberwocky"
)

// world is a built gateway with an authorization server, a guarded API and two
// users: alice (group staff) and bob (no group).
type world struct {
	t      *testing.T
	node   *gateway.Node
	config string // the Caddyfile
	issuer string
	portal string // its origin, or ""
	api    string // origin of the guarded API
	app    *upstream.Server
	client *http.Client // of applications, not of people
	raw    http.RoundTripper
}

// start runs a gateway on free ports of localhost, by the given scheme, with
// the given client blocks. Its issuer is a portal without a path.
func start(t *testing.T, scheme string, clients ...string) *world {
	t.Helper()
	w := &world{t: t, app: upstream.Start(t)}
	w.portal, w.api = origin(t, scheme), origin(t, scheme)
	w.issuer = w.portal
	return w.run(clients)
}

// startBelow is start for an issuer with a path.
func startBelow(t *testing.T, path string, clients ...string) *world {
	t.Helper()
	w := &world{t: t, app: upstream.Start(t)}
	w.portal, w.api = origin(t, "http"), origin(t, "http")
	w.issuer = w.portal + path
	return w.run(clients)
}

// startAlone is start for a guarded site that is its own issuer.
func startAlone(t *testing.T, clients ...string) *world {
	t.Helper()
	w := &world{t: t, app: upstream.Start(t), api: origin(t, "http")}
	w.issuer = w.api + "/.gatehouse"
	return w.run(clients)
}

func origin(t *testing.T, scheme string) string {
	t.Helper()
	return fmt.Sprintf("%s://localhost:%d", scheme, gateway.FreePort(t))
}

func (w *world) run(clients []string) *world {
	t := w.t
	t.Helper()
	w.config = w.caddyfile(clients)
	w.node = gateway.Start(t, gateway.Options{Caddyfile: w.config})
	if strings.HasPrefix(w.issuer, "https:") { // Caddy makes the certificate in the background
		w.node.Log.Await(t, 0, `"certificate obtained successfully"`, 30*time.Second)
	}
	w.client = w.programs()
	w.raw = w.client.Transport
	w.awaitKeys()
	return w
}

// awaitKeys waits for the signing keys, which a first start makes: on a busy
// machine that takes longer than a start waits.
func (w *world) awaitKeys() {
	w.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		resp, err := w.client.Get(w.issuer + "/jwks.json")
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("the keys are not published: %v", err)
		}
	}
}

// guardedSite stands for the guarded site in the clients of a Caddyfile.
const guardedSite = "GUARDED_SITE"

func (w *world) caddyfile(clients []string) string {
	issuer, portal := "", ""
	if w.portal != "" {
		issuer, portal = "issuer "+w.issuer, w.portal+" {\n\tgatehouse_portal\n}"
	}
	return fmt.Sprintf(`{
	gatehouse {
		%s
		provider local {
			user alice %s {
				email alice@example.com
				groups staff
			}
			user bob %s
		}
		policy staff {
			allow group staff
		}
		%s
	}
}
%s
%s {
	gatehouse
	reverse_proxy %s
}
`, issuer, hash(w.t, alicePassword), hash(w.t, bobPassword), strings.ReplaceAll(strings.Join(clients, "\n"), guardedSite, w.api), portal, w.api, w.app.Addr)
}

// hash is quick to make and to check; production hashes are not.
func hash(t *testing.T, password string) string {
	t.Helper()
	h, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(h)
}

// programs is an HTTP client that trusts the gateway's certificate authority,
// keeps no cookies, and teaches the log's watcher every token that it sees.
func (w *world) programs() *http.Client {
	w.t.Helper()
	// A reload closes idle connections, and a POST on one of them is not repeated.
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: w.node.RootCAs()}, DisableKeepAlives: true}
	return &http.Client{Transport: learning{transport, w.node.Secrets.Learn}, Timeout: 30 * time.Second}
}

// context carries the HTTP client as x/oauth2 and go-oidc want it.
func (w *world) context() context.Context {
	return oidc.ClientContext(w.t.Context(), w.client)
}
