package integration_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"golang.org/x/crypto/bcrypt"

	"github.com/gatehouse-auth/gatehouse/integration/chromium"
	"github.com/gatehouse-auth/gatehouse/integration/gateway"
	"github.com/gatehouse-auth/gatehouse/integration/openid"
)

// TestLink_AsAPersonDoesIt connects a provider on a person's own page and disconnects it
// again, with a real browser, whose rules for forms, cookies and redirects are stricter
// than those of any client of ours.
func TestLink_AsAPersonDoesIt(t *testing.T) {
	origin := fmt.Sprintf("http://localhost:%d", gateway.FreePort(t))
	p := openid.Start(t, origin+"/.gatehouse/callback/sso")
	hash, err := bcrypt.GenerateFromPassword([]byte(alicePassword), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	gateway.Start(t, gateway.Options{Caddyfile: fmt.Sprintf(`{
	gatehouse {
		provider local {
			user alice %s
		}
		%s
	}
}
%s {
	gatehouse
	respond "hello {http.auth.user.id}"
}
`, hash, ssoProvider(p, "store_tokens"), origin)})
	tab := chromium.Start(t, "")
	do := func(what string, steps ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(tab, steps...); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	shows := func(text string) {
		t.Helper()
		body := ""
		await(t, 30*time.Second, "a page that says "+text, func() bool {
			body, _ = chromedp.Run(tab, chromedp.Text(chromedp.CSS("body"))) // fails in the middle of a navigation
			return strings.Contains(body, text)
		})
	}
	signIn := func(password string) {
		t.Helper()
		do("signing in", chromedp.WaitVisible(chromedp.CSS(`input[name="password"]`)),
			chromedp.SetValue(chromedp.CSS(`input[name="username"]`), "alice"),
			chromedp.SendKeys(chromedp.CSS(`input[name="password"]`), password+"\r"))
	}
	do("opening the site", chromedp.Navigate(origin+"/"))
	signIn(alicePassword)
	shows("hello alice")

	home := origin + "/.gatehouse/"
	const connect, disconnect = `a[href*="link?provider=sso"]`, `button[name="identity"]`
	do("connecting", chromedp.Navigate(home), chromedp.Click(chromedp.CSS(connect)))
	shows("You sign in at")
	do("saying yes", chromedp.Click(chromedp.CSS(`form button`)))
	signIn(openid.Password)
	shows("Where you are signed in")
	do("waiting for what is connected", chromedp.WaitVisible(chromedp.CSS(disconnect)))
	shows("used now")
	do("opening the site", chromedp.Navigate(origin+"/"))
	shows("hello alice") // as she signed in, and not as the provider calls her

	do("disconnecting", chromedp.Navigate(home), chromedp.Click(chromedp.CSS(disconnect)))
	shows("Disconnected.")
	do("waiting for what can be connected", chromedp.WaitVisible(chromedp.CSS(connect)))
	await(t, 60*time.Second, "the revocation at the provider", func() bool { return p.Requests("/revoke") > 0 })
}
