package oauth_test

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/integration/browser"
	"github.com/gatehouse-auth/gatehouse/integration/gateway"
	"github.com/gatehouse-auth/gatehouse/integration/upstream"
)

// startNodeProvider runs node-oidc-provider in its default configuration and returns
// its issuer.
func startNodeProvider(t *testing.T, secret, redirectURI string) string {
	t.Helper()
	args := nodeArgs(t)
	folder, err := modules()
	if err != nil {
		missing(t, err.Error())
	}
	issuer := origin(t, "http")
	provider := exec.Command("node", append(args, "provider.mjs", issuer, secret, redirectURI)...)
	provider.Dir = folder
	provider.Stderr = os.Stderr
	out, err := provider.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := provider.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = provider.Process.Kill()
		_ = provider.Wait()
	})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if lines.Text() == "ready" {
			return issuer
		}
	}
	t.Fatal("node-oidc-provider did not start")
	return ""
}

// TestNodeProvider_SignInSignOutSignInAgain: pocket-id#1442. node-oidc-provider takes no
// prompt=select_account unless it is told to: it answers invalid_request. Whoever signs
// out here signs in again all the same, by a password there, in the same browser.
func TestNodeProvider_SignInSignOutSignInAgain(t *testing.T) {
	t.Parallel()
	const secret = "a-secret-of-the-gateway-at-the-provider"
	for _, mode := range []string{"a site of its own", "a portal"} {
		t.Run(mode, func(t *testing.T) {
			site, portal := origin(t, "http"), ""
			issuer := site + "/.gatehouse"
			if mode == "a portal" {
				portal = origin(t, "http")
				issuer = portal
			}
			op := startNodeProvider(t, secret, issuer+"/callback/sso")
			app := upstream.Start(t)
			text := fmt.Sprintf("{\n\tgatehouse {\n\t\tprovider sso oidc %s {\n\t\t\tclient_id gateway\n\t\t\tclient_secret %q\n\t\t\tscopes openid\n\t\t}\n", op, secret)
			if portal != "" {
				text += "\t\tissuer " + portal + "\n"
			}
			text += "\t}\n}\n" + site + " {\n\tgatehouse\n\treverse_proxy " + app.Addr + "\n}\n"
			if portal != "" {
				text += portal + " {\n\tgatehouse_portal\n}\n"
			}
			secrets := new(gateway.Secrets)
			secrets.Learn("client secret", secret)
			node := gateway.Start(t, gateway.Options{Caddyfile: text, Secrets: secrets})
			b := browser.New(t, browser.Options{Route: node.Route, RootCAs: node.RootCAs(), Learn: node.Secrets.Learn})

			page := atNodeProvider(t, b, b.Open(site+"/first"))
			if page.Status != http.StatusOK || page.URL.String() != site+"/first" {
				t.Fatalf("the first sign-in ends at %s:\n%s%s", page.URL, page.Path(), page.Text())
			}
			for range 2 {
				page = b.Open(site + "/.gatehouse/logout")
				page = b.Submit(page, b.Find(page, "form"), nil)
				if !strings.Contains(page.Text(), "signed out") {
					t.Fatalf("not signed out:\n%s", page.Text())
				}
				page = b.Open(site + "/again?a=1")
				if !has(page, "login") || !strings.HasPrefix(page.URL.String(), op) {
					t.Fatalf("after a sign-out nobody is asked at the provider:\n%s%s", page.Path(), page.Text())
				}
				page = atNodeProvider(t, b, page)
				if page.Status != http.StatusOK || page.URL.String() != site+"/again?a=1" {
					t.Fatalf("the second sign-in ends at %s:\n%s%s", page.URL, page.Path(), page.Text())
				}
			}
		})
	}
}

// atNodeProvider fills in the provider's own pages: the sign-in, and the consent.
func atNodeProvider(t *testing.T, b *browser.Browser, page *browser.Page) *browser.Page {
	t.Helper()
	for range 4 {
		switch {
		case has(page, "login"):
			page = b.Submit(page, b.Find(page, "login"), map[string]string{"login": "alice", "password": "anything"})
		case has(page, "prompt"):
			page = b.Submit(page, b.Find(page, "prompt"), nil)
		default:
			return page
		}
	}
	return page
}
