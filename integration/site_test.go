package integration_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/gatehouse-auth/gatehouse/integration/browser"
	"github.com/gatehouse-auth/gatehouse/integration/gateway"
)

// The users of the tests' own Caddyfiles.
const (
	alicePassword = "wonderland"
	bobPassword   = "jabberwocky"
)

// hash is quick to make and to check; production hashes are not.
func hash(t testing.TB, password string) string {
	t.Helper()
	h, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(h)
}

// localUsers is a provider with alice (group staff) and bob (no group).
func localUsers(t testing.TB) string {
	t.Helper()
	return fmt.Sprintf(`
		provider local {
			user alice %s {
				email alice@example.com
				groups staff
			}
			user bob %s
		}
`, hash(t, alicePassword), hash(t, bobPassword))
}

// global is a Caddyfile's block of global options with a gatehouse of the given
// lines.
func global(lines ...string) string {
	return "{\n\tgatehouse {\n\t\t" + strings.Join(lines, "\n\t\t") + "\n\t}\n}\n"
}

// guarded is a guarded site in front of an upstream.
func guarded(address, upstream, policies string) string {
	return fmt.Sprintf("%s {\n\tgatehouse %s\n\treverse_proxy %s\n}\n", address, policies, upstream)
}

// example reads one of the examples in caddyfiles/.
func example(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(gateway.Root(), "caddyfiles", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// newBrowser is a browser for a gateway.
func newBrowser(t testing.TB, n *gateway.Node) *browser.Browser {
	t.Helper()
	return browser.New(t, browser.Options{Route: n.Route, RootCAs: n.RootCAs(), Learn: n.Secrets.Learn})
}

// login fills in the sign-in form of a page.
func login(t testing.TB, b *browser.Browser, page *browser.Page, user, password string) *browser.Page {
	t.Helper()
	return b.Submit(page, b.Find(page, "password"), map[string]string{"username": user, "password": password})
}

// signIn opens an address as a user who is not signed in yet.
func signIn(t testing.TB, b *browser.Browser, address, user, password string) *browser.Page {
	t.Helper()
	page := login(t, b, b.Open(address), user, password)
	wantStatus(t, page, http.StatusOK)
	return page
}

// signOut signs out at the site of an address, by its page and form.
func signOut(t testing.TB, b *browser.Browser, origin string) *browser.Page {
	t.Helper()
	page := b.Open(origin + "/.gatehouse/logout")
	wantStatus(t, page, http.StatusOK)
	forms := page.Forms()
	if len(forms) != 1 || forms[0].Method != http.MethodPost {
		t.Fatalf("the sign-out page has forms %+v, want one that is posted", forms)
	}
	return b.Submit(page, forms[0], nil)
}

// signedIn reports whether the browser is let in without more ado.
func signedIn(t testing.TB, b *browser.Browser, address string) bool {
	t.Helper()
	return b.Step(address).Status == http.StatusOK
}

func wantStatus(t testing.TB, page *browser.Page, status ...int) {
	t.Helper()
	if !slices.Contains(status, page.Status) {
		t.Fatalf("status %d, want %v:\n%s%s", page.Status, status, page.Path(), page.Text())
	}
}

// await asks until ok, a few times a second, and fails the test after timeout.
func await(t testing.TB, timeout time.Duration, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(timeout)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, timeout)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
