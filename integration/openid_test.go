package integration_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse-auth/gatehouse/integration/browser"
	"github.com/gatehouse-auth/gatehouse/integration/gateway"
	"github.com/gatehouse-auth/gatehouse/integration/openid"
	"github.com/gatehouse-auth/gatehouse/integration/upstream"
)

const (
	ssoSite     = "http://app.localhost"
	ssoCallback = ssoSite + "/.gatehouse/callback/sso"
	// tokenPath is where the provider redeems codes.
	tokenPath = "/oauth/token"
)

// ssoProvider is a provider block for an OpenID provider.
func ssoProvider(p *openid.Provider, lines ...string) string {
	return fmt.Sprintf("provider sso oidc %s {\nclient_id %s\nclient_secret %q\n%s\n}",
		p.Issuer, openid.ClientID, openid.ClientSecret, strings.Join(lines, "\n"))
}

// sso is a gateway in front of an application, with one OpenID provider.
type sso struct {
	node     *gateway.Node
	provider *openid.Provider
	app      *upstream.Server
}

func startSSO(t *testing.T, lines ...string) sso {
	t.Helper()
	p := openid.Start(t, ssoCallback)
	app := upstream.Start(t)
	secrets := new(gateway.Secrets)
	secrets.Learn("client secret", openid.ClientSecret)
	return sso{
		provider: p, app: app,
		node: gateway.Start(t, gateway.Options{
			Caddyfile: global(ssoProvider(p, lines...)) + guarded(ssoSite, app.Addr, ""), Secrets: secrets,
		}),
	}
}

// stopAtCallback signs in at the provider and returns the address that it sends
// the browser to, which the browser has not asked for.
func stopAtCallback(t testing.TB, b *browser.Browser, address, user string) string {
	t.Helper()
	b.StopAt("/.gatehouse/callback/")
	page := login(t, b, b.Open(address), user, openid.Password)
	next := page.Next()
	if next == nil {
		t.Fatalf("the provider sends the browser nowhere:\n%s%s", page.Path(), page.Text())
	}
	return next.String()
}

// signInAtProvider opens an address as a user who signs in at the provider.
func signInAtProvider(t testing.TB, b *browser.Browser, address, user string) *browser.Page {
	t.Helper()
	page := login(t, b, b.Open(address), user, openid.Password)
	wantStatus(t, page, http.StatusOK)
	return page
}

func TestOpenID_SignInLandsOnTheAskedForPage(t *testing.T) {
	t.Parallel()
	s := startSSO(t)
	b := newBrowser(t, s.node)
	const asked = ssoSite + "/reports?year=2026"
	page := login(t, b, b.Open(asked), "alice", openid.Password)
	wantStatus(t, page, http.StatusOK)
	if got := page.URL.String(); got != asked {
		t.Errorf("landed on %s, want %s", got, asked)
	}
	if got := s.app.Last(t).Header.Get("Remote-User"); got != "alice@example.com" {
		t.Errorf("Remote-User is %q, want the verified address", got)
	}
	if n := s.provider.Requests(tokenPath); n != 1 {
		t.Errorf("the provider redeemed %d codes, want 1", n)
	}
}

func TestOpenID_WithOneProviderTheBrowserGoesStraightThere(t *testing.T) {
	t.Parallel()
	s := startSSO(t)
	page := newBrowser(t, s.node).Open(ssoSite + "/")
	if !strings.HasPrefix(page.URL.String(), s.provider.Issuer) {
		t.Errorf("the first page is %s, want the provider's:\n%s", page.URL, page.Path())
	}
	for _, hop := range page.Trail[:2] {
		if hop.Status != http.StatusSeeOther {
			t.Errorf("%s was answered with %d, want 303", hop.URL, hop.Status)
		}
	}
	query := authorizeQuery(t, page)
	for name, want := range map[string]string{
		"response_type": "code", "code_challenge_method": "S256", "redirect_uri": ssoCallback, "client_id": openid.ClientID,
	} {
		if got := query.Get(name); got != want {
			t.Errorf("%s=%q, want %q", name, got, want)
		}
	}
	for _, name := range []string{"state", "nonce", "code_challenge"} {
		if len(query.Get(name)) < 22 {
			t.Errorf("%s=%q holds less than 128 bits", name, query.Get(name))
		}
	}
}

// authorizeQuery is what the gateway asked the provider for.
func authorizeQuery(t *testing.T, page *browser.Page) url.Values {
	t.Helper()
	for _, hop := range page.Trail {
		u, err := url.Parse(hop.URL)
		if err == nil && u.Query().Has("redirect_uri") {
			return u.Query()
		}
	}
	t.Fatalf("the provider was asked for nothing:\n%s", page.Path())
	return nil
}

func TestOpenID_FiftyTabsSignInAtOnce(t *testing.T) {
	t.Parallel()
	s := startSSO(t)
	b := newBrowser(t, s.node)
	const tabs = 50
	pages := make([]*browser.Page, tabs)
	for i := range pages {
		pages[i] = b.Open(fmt.Sprintf("%s/tab?number=%d", ssoSite, i))
	}
	var finished sync.WaitGroup
	for i := range pages {
		finished.Go(func() {
			page := login(t, b, pages[i], "alice", openid.Password)
			if got, want := page.URL.RequestURI(), fmt.Sprintf("/tab?number=%d", i); page.Status != http.StatusOK || got != want {
				t.Errorf("tab %d landed on %s with %d: %s", i, got, page.Status, page.Text())
			}
		})
	}
	finished.Wait()
}

func TestOpenID_ProvidersOwnRulesDecideWhoEnters(t *testing.T) {
	t.Parallel()
	s := startSSO(t, "allow domain example.com")
	stranger := newBrowser(t, s.node)
	page := login(t, stranger, stranger.Open(ssoSite+"/"), "bob", openid.Password)
	wantStatus(t, page, http.StatusForbidden)
	if len(s.app.Requests()) != 0 {
		t.Error("a request of somebody who may not enter reached the upstream")
	}
	signInAtProvider(t, newBrowser(t, s.node), ssoSite+"/", "alice")
}

func TestOpenID_AnUnreachableProviderIsAPageWithAWayToRetry(t *testing.T) {
	t.Parallel()
	n := gateway.Start(t, gateway.Options{
		Caddyfile: global("provider sso oidc http://127.0.0.1:9/ {\nclient_id x\nclient_secret not-asked-for\n}") +
			guarded(ssoSite, upstreamAddr(t), ""),
	})
	page := newBrowser(t, n).Open(ssoSite + "/reports")
	wantStatus(t, page, http.StatusServiceUnavailable, http.StatusBadGateway)
	if page.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	if len(page.Links()) == 0 {
		t.Errorf("the page shows no way on: %s", page.Text())
	}
}
