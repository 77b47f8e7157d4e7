package device_test

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/gatehouse-auth/gatehouse/integration/browser"
	"github.com/gatehouse-auth/gatehouse/integration/gateway"
	"github.com/gatehouse-auth/gatehouse/integration/upstream"
)

// The users: alice is in the group staff, bob in none.
const (
	alicePassword = "wonderland"
	bobPassword   = "jabberwocky"
)

// clients of every gateway here, besides gate, which is built in.
const clients = `
		client cli {
			public
			grants device_code refresh_token
			scopes openid profile offline_access
		}
		client other {
			public
			grants device_code
			scopes openid
		}
		client restricted {
			public
			grants device_code
			scopes openid
			policy staff
		}`

// world is an authorization server and a guarded site on one or several nodes.
type world struct {
	nodes        []*gateway.Node
	issuer, site string // origins
	app          *upstream.Server
}

// start runs one node with the issuer and the site on ports of their own, as
// programs need it that look for them at their addresses.
func start(t *testing.T) *world {
	t.Helper()
	origin := func() string { return fmt.Sprintf("http://localhost:%d", gateway.FreePort(t)) }
	w := &world{issuer: origin(), site: origin(), app: upstream.Start(t)}
	w.nodes = []*gateway.Node{gateway.Start(t, gateway.Options{Caddyfile: w.caddyfile(t, "")})}
	return w
}

// startNamed runs nodes of one configuration, with the issuer and the site on
// names of their own, on whatever the lines and the environment say.
func startNamed(t *testing.T, nodes int, lines string, env []string) *world {
	t.Helper()
	w := &world{issuer: "http://auth.localhost", site: "http://app.localhost", app: upstream.Start(t)}
	caddyfile, secrets := w.caddyfile(t, lines), new(gateway.Secrets)
	for range nodes {
		w.nodes = append(w.nodes, gateway.Start(t, gateway.Options{Caddyfile: caddyfile, Env: env, Secrets: secrets}))
	}
	return w
}

func (w *world) caddyfile(t *testing.T, lines string) string {
	t.Helper()
	return fmt.Sprintf(`{
	gatehouse {
		issuer %[1]s
		provider local {
			user alice %[2]s {
				email alice@example.com
				groups staff
			}
			user bob %[3]s
		}
		policy staff {
			allow group staff
		}%[4]s
%[5]s
	}
}
%[1]s {
	gatehouse_portal
}
%[6]s {
	gatehouse
	reverse_proxy %[7]s
}
`, w.issuer, hash(t, alicePassword), hash(t, bobPassword), clients, lines, w.site, w.app.Addr)
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

// browser is a new one, whose requests go to a node.
func (w *world) browser(t *testing.T, node int) *browser.Browser {
	t.Helper()
	n := w.nodes[node]
	return browser.New(t, browser.Options{Route: n.Route, Learn: n.Secrets.Learn})
}

// signedIn is a browser in which somebody has signed in at the issuer.
func (w *world) signedIn(t *testing.T, node int, user string) *browser.Browser {
	t.Helper()
	b := w.browser(t, node)
	page := b.Open(w.issuer + "/device")
	page = b.Submit(page, b.Find(page, "password"), map[string]string{"username": user, "password": passwordOf(user)})
	if b.Find(page, "user_code").Action == nil {
		t.Fatalf("signing in as %s leads to %s", user, page.Text())
	}
	return b
}

func passwordOf(user string) string {
	if user == "bob" {
		return bobPassword
	}
	return alicePassword
}

// asked opens the page that asks whether to approve a flow.
func asked(t *testing.T, b *browser.Browser, f flow) (*browser.Page, browser.Form) {
	t.Helper()
	page := b.Open(f.complete)
	if !strings.Contains(page.Text(), f.userCode) {
		t.Fatalf("the page does not show the code: %d %s", page.Status, page.Text())
	}
	return page, b.Find(page, "request")
}

// decide answers a flow's question, "approve" or "refuse".
func decide(t *testing.T, b *browser.Browser, f flow, decision string) *browser.Page {
	t.Helper()
	page, form := asked(t, b, f)
	return b.Submit(page, form, map[string]string{"decision": decision})
}
