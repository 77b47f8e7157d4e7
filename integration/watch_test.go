package integration_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/gatehouse-auth/gatehouse/integration/chromium"
	"github.com/gatehouse-auth/gatehouse/integration/gateway"
)

// TestWatch_OverAPage loads the script in a page whose policy allows nothing inline, ends
// the session, and signs in again in another tab: what was typed into the page stays.
func TestWatch_OverAPage(t *testing.T) {
	origin := fmt.Sprintf("http://localhost:%d", gateway.FreePort(t))
	gateway.Start(t, gateway.Options{Caddyfile: global(localUsers(t)) + origin + ` {
	gatehouse
	header /app Content-Security-Policy "default-src 'none'; script-src 'self'; connect-src 'self'"
	header /app Content-Type text/html
	respond /app "<!doctype html><title>app</title><textarea></textarea><script src=/.gatehouse/watch.js></script>"
	respond "hello {http.auth.user.id}"
}
`})
	tab := chromium.Start(t, "")
	do := func(what string, steps ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(tab, steps...); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	is := func(what, script string) {
		t.Helper()
		await(t, 30*time.Second, what, func() bool {
			got, err := chromedp.Run(tab, chromedp.Evaluate[bool](script, chromedp.EvalAwaitPromise))
			return err == nil && got
		})
	}
	signIn := []chromedp.Action[chromedp.Void]{
		chromedp.WaitVisible(chromedp.CSS(`input[name="password"]`)),
		chromedp.SetValue(chromedp.CSS(`input[name="username"]`), "alice"),
		chromedp.SendKeys(chromedp.CSS(`input[name="password"]`), alicePassword+"\r"),
	}
	do("opening the page", chromedp.Navigate(origin+"/app"))
	do("signing in", signIn...)
	is("the page", `!!document.querySelector("textarea")`)
	is("that the script has asked", `performance.getEntriesByType("resource").some(e => e.name.endsWith("/.gatehouse/session") && e.responseStatus === 200)`)
	do("typing", chromedp.SendKeys(chromedp.CSS("textarea"), "a draft"), chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, network.ClearBrowserCookies, cdp.Empty{})
		return err
	}))
	is("that the application is refused", `fetch("/api").then(r => r.status === 401)`)
	do("waiting for the question", chromedp.WaitVisible(chromedp.CSS("dialog a")))
	link, err := chromedp.Run(tab, chromedp.Evaluate[string](`(a => a.target + " " + a.href)(document.querySelector("dialog a"))`))
	if err != nil || !strings.HasPrefix(link, "_blank "+origin+"/.gatehouse/login?return_to=%2Fapp") {
		t.Fatalf("the link is %q, %v", link, err)
	}
	is("that the page listens", `addEventListener("gatehouse:signed-in", () => { document.title = "again" }), true`)
	other, cancel := chromedp.NewContext(tab)
	if err := chromedp.Do(other, append([]chromedp.Action[chromedp.Void]{chromedp.Navigate(strings.TrimPrefix(link, "_blank "))}, signIn...)...); err != nil {
		t.Fatal(err)
	}
	await(t, 30*time.Second, "the page in the other tab", func() bool {
		got, err := chromedp.Run(other, chromedp.Evaluate[bool](`!!document.querySelector("textarea")`))
		return err == nil && got
	})
	cancel()
	is("that it goes on", `dispatchEvent(new Event("focus")), document.title === "again" && !document.querySelector("dialog") && document.querySelector("textarea").value === "a draft"`)
}
