package clients_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/gatehouse-auth/gatehouse/integration/browser"
	"github.com/gatehouse-auth/gatehouse/integration/gateway"
)

const (
	password = "wonderland"
	secret   = "a-secret-of-an-application-long-enough"
)

// world is a gateway that the applications of a test share.
type world struct {
	node   *gateway.Node
	issuer string
}

// start runs a gateway with the given client blocks.
func start(t *testing.T, clients ...string) *world {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{issuer: origin(t)}
	secrets := new(gateway.Secrets)
	secrets.Learn("client secret", secret)
	w.node = gateway.Start(t, gateway.Options{Secrets: secrets, Caddyfile: fmt.Sprintf(`{
	gatehouse {
		issuer %[1]s
		provider local {
			user alice %[2]s {
				email alice@example.com
			}
		}
		%[3]s
	}
}
%[1]s {
	gatehouse_portal
}
`, w.issuer, hash, strings.Join(clients, "\n"))})
	return w
}

func origin(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("http://localhost:%d", gateway.FreePort(t))
}

// block is the default block of a client.
func block(id, redirectURI string, more ...string) string {
	return fmt.Sprintf("client %s {\n\tsecret %s\n\tredirect_uri %s\n\t%s\n}", id, secret, redirectURI, strings.Join(more, "\n\t"))
}

func (w *world) browser(t *testing.T) *browser.Browser {
	t.Helper()
	return browser.New(t, browser.Options{Route: w.node.Route, Learn: w.node.Secrets.Learn})
}

// signIn opens an address, does what alice is asked for on the way, and returns what
// comes in the end.
func signIn(b *browser.Browser, address string) *browser.Page {
	page := b.Open(address)
	for range 4 {
		switch {
		case has(page, "password"):
			page = b.Submit(page, b.Find(page, "password"), map[string]string{"username": "alice", "password": password})
		case has(page, "request") && strings.HasSuffix(b.Find(page, "request").Action.Path, "/consent"):
			page = b.Submit(page, b.Find(page, "request"), map[string]string{"decision": "approve"})
		case has(page, "csrfToken"): // the sign-in page of @auth/core
			page = b.Submit(page, b.Find(page, "csrfToken"), nil)
		default:
			return page
		}
	}
	return page
}

// has reports whether a page has a form with a field.
func has(page *browser.Page, field string) bool {
	for _, form := range page.Forms() {
		if slices.Contains(form.Fields, field) {
			return true
		}
	}
	return false
}
