package oauth_test

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/gatehouse-auth/gatehouse/integration/browser"
	"github.com/gatehouse-auth/gatehouse/integration/chromium"
	"github.com/gatehouse-auth/gatehouse/integration/gateway"
	"github.com/gatehouse-auth/gatehouse/integration/upstream"
)

// startNodeProvider runs node-oidc-provider in its default configuration, but for what
// more says, and returns its issuer.
func startNodeProvider(t *testing.T, secret, redirectURI string, more ...string) string {
	t.Helper()
	args := nodeArgs(t)
	folder, err := modules()
	if err != nil {
		missing(t, err.Error())
	}
	issuer := origin(t, "http")
	provider := exec.Command("node", append(append(args, "provider.mjs", issuer, secret, redirectURI), more...)...)
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

// nodeSite runs a guarded site whose people sign in at node-oidc-provider, by itself or
// by a portal, and returns the site and the provider.
func nodeSite(t *testing.T, portal bool) (node *gateway.Node, site, provider string) {
	t.Helper()
	const secret = "a-secret-of-the-gateway-at-the-provider"
	site = origin(t, "http")
	issuer, option, more := site+"/.gatehouse", "", ""
	if portal {
		issuer = origin(t, "http")
		option, more = "issuer "+issuer, issuer+" {\n\tgatehouse_portal\n}\n"
	}
	provider = startNodeProvider(t, secret, issuer+"/callback/sso")
	secrets := new(gateway.Secrets)
	secrets.Learn("client secret", secret)
	node = gateway.Start(t, gateway.Options{Secrets: secrets, Caddyfile: fmt.Sprintf(`{
	gatehouse {
		%s
		provider sso oidc %s {
			client_id gateway
			client_secret %q
			scopes openid
		}
	}
}
%s
%s {
	gatehouse
	reverse_proxy %s
}
`, option, provider, secret, more, site, upstream.Start(t).Addr)})
	return node, site, provider
}

// TestNodeProvider_SignInSignOutSignInAgain: pocket-id#1442. node-oidc-provider takes no
// prompt=select_account unless it is told to: it answers invalid_request. Whoever signs
// out here signs in again all the same, by a password there, in the same browser.
func TestNodeProvider_SignInSignOutSignInAgain(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"a site of its own", "a portal"} {
		t.Run(mode, func(t *testing.T) {
			node, site, provider := nodeSite(t, mode == "a portal")
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
				if !has(page, "login") || !strings.HasPrefix(page.URL.String(), provider) {
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

// TestNodeProvider_InChromium is the same with a real browser, which keeps to the rules
// for cookies and redirects.
func TestNodeProvider_InChromium(t *testing.T) {
	t.Parallel()
	_, site, _ := nodeSite(t, true)
	b := tab{t, chromium.Start(t, "")}
	at := func() string {
		t.Helper()
		location, err := chromedp.Run(b.ctx, chromedp.Location())
		if err != nil {
			t.Fatal(err)
		}
		return location
	}
	signIn := func(asked string) {
		t.Helper()
		b.do("opening "+asked, chromedp.Navigate(asked))
		for _, field := range []string{`input[name="login"]`, ""} { // the sign-in, then the consent
			if field != "" {
				b.do("signing in", chromedp.WaitVisible(chromedp.CSS(field)), chromedp.SendKeys(chromedp.CSS(field), "alice"),
					chromedp.SendKeys(chromedp.CSS(`input[name="password"]`), "anything"))
			}
			if at() == asked {
				return
			}
			if _, err := chromedp.RunResponse(b.ctx, chromedp.Click(chromedp.CSS(`form button`))); err != nil {
				t.Fatalf("sending the form of %s: %v", at(), err)
			}
		}
		if got := at(); got != asked {
			t.Fatalf("the sign-in ends at %s, want %s", got, asked)
		}
	}
	signIn(site + "/first")
	b.do("opening the sign-out page", chromedp.Navigate(site+"/.gatehouse/logout"))
	if _, err := chromedp.RunResponse(b.ctx, chromedp.Click(chromedp.CSS(`form button`))); err != nil {
		t.Fatalf("signing out: %v", err)
	}
	signIn(site + "/again?a=1")
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
