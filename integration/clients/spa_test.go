package clients_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/gatehouse-auth/gatehouse/integration/chromium"
)

// spaTokens are what the page has of its tokens.
type spaTokens struct {
	AccessToken, Sub, Name string
	HasRefreshToken        bool
}

// spaInfo is what the userinfo endpoint answers the page.
type spaInfo struct {
	Status int
	Sub    string
}

// TestSPA: oidc-spa signs in from a page of a public client, whose one address is its
// redirect URI and where it is sent after a sign-out. It finds the session again when the
// page is loaded anew, renews by a hidden frame (prompt=none) or a refresh token where its
// client has some, and signs out; then nobody is found, and the access token is dead.
func TestSPA(t *testing.T) {
	page := servePage(t, map[string]string{
		"/{$}":       "page/oidc-spa.html",
		"/spa.js":    "page/spa.js",
		"/oidc-spa/": filepath.Join(modules(t), "node_modules", "oidc-spa", "esm"),
	})
	const publicBlock = `client %s {
		public
		redirect_uri http://localhost/
		post_logout_redirect_uri http://localhost/
		%s
	}`
	w := start(t, fmt.Sprintf(publicBlock, "spa", ""), fmt.Sprintf(publicBlock, "spa-refresh", "refresh_tokens session"))
	b := tab{t, chromium.Start(t, "")}
	b.do("opening the page", chromedp.Navigate(page+"/"))
	for _, c := range []struct {
		client    string
		refreshes bool
	}{{"spa", false}, {"spa-refresh", true}} {
		b.done("spa")
		evaluated[bool](b, fmt.Sprintf("configure(%q, %q) ?? true", w.issuer, c.client))
		visitSPA(b, c.client, page, "nobody")
		b.do("signing in", chromedp.Evaluate[chromedp.Void](`begin()`), chromedp.WaitVisible(chromedp.CSS(`input[name="password"]`)),
			chromedp.SendKeys(chromedp.CSS(`input[name="username"]`), "alice"), chromedp.SendKeys(chromedp.CSS(`input[name="password"]`), password),
			chromedp.Click(chromedp.CSS(`form button`)))
		b.do("consenting", chromedp.WaitVisible(chromedp.CSS(`button[value="approve"]`)), chromedp.Click(chromedp.CSS(`button[value="approve"]`)))
		if said := b.done("spa"); said != "alice" {
			t.Fatalf("%s: signing in ends with %s", c.client, said)
		}
		before := evaluated[spaTokens](b, "current()")
		if before.HasRefreshToken != c.refreshes {
			t.Errorf("%s: has a refresh token: %t", c.client, before.HasRefreshToken)
		}
		after := evaluated[spaTokens](b, "renewed()")
		if after.Name != "alice" || after.Sub != before.Sub || after.AccessToken == before.AccessToken {
			t.Errorf("%s: a renewal of the tokens of %s (%s) gives those of %s (%s)", c.client, before.Name, before.Sub, after.Name, after.Sub)
		}
		info := fmt.Sprintf("userinfo(%q)", after.AccessToken)
		if got := evaluated[spaInfo](b, info); got.Status != http.StatusOK || got.Sub != after.Sub {
			t.Errorf("%s: at the userinfo endpoint: %+v, not %s", c.client, got, after.Sub)
		}
		visitSPA(b, c.client, page, "alice")
		b.do("signing out", chromedp.Evaluate[chromedp.Void](`leave()`))
		if said := b.done("spa"); said != "nobody" {
			t.Fatalf("%s: signing out ends with %s", c.client, said)
		}
		visitSPA(b, c.client, page, "nobody")
		if got := evaluated[spaInfo](b, info); got.Status != http.StatusUnauthorized {
			t.Errorf("%s: at the userinfo endpoint after the sign-out: %+v", c.client, got)
		}
	}
}

// visitSPA loads the page anew and expects whom it finds signed in.
func visitSPA(b tab, client, page, who string) {
	b.t.Helper()
	b.do("opening the page", chromedp.Navigate(page+"/"))
	if said := b.done("spa"); said != who {
		b.t.Fatalf("%s: the page opens with %s, not %s", client, said, who)
	}
}
