package integration_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/gatehouse-auth/gatehouse/integration/chromium"
)

// screenshots are pictures for people to look at; git ignores them.
var screenshots = filepath.Join("testdata", "screenshots")

// TestWalk_AsAPersonSeesIt signs in to the quickstart with a real browser,
// lands on the asked-for page and signs out, and takes a picture of every page
// on the way, on a desktop and a phone, light and dark.
func TestWalk_AsAPersonSeesIt(t *testing.T) {
	_, origin := startQuickstart(t)
	tab := chromium.Start(t, "")
	do := func(what string, steps ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(tab, steps...); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	shoot := func(page string) {
		t.Helper()
		for _, device := range chromium.Devices() {
			chromium.Shoot(tab, t, screenshots, page, device)
		}
	}
	at := func() string {
		t.Helper()
		location, err := chromedp.Run(tab, chromedp.Location())
		if err != nil {
			t.Fatal(err)
		}
		return location
	}
	submit := func(user, password string) {
		t.Helper()
		do("filling in the form",
			chromedp.WaitVisible(chromedp.CSS(`input[name="username"]`)),
			chromedp.SetValue(chromedp.CSS(`input[name="username"]`), user),
			chromedp.SendKeys(chromedp.CSS(`input[name="password"]`), password))
		if _, err := chromedp.RunResponse(tab, chromedp.Click(chromedp.CSS(`form button`))); err != nil {
			t.Fatalf("sending the form: %v", err)
		}
	}

	asked := origin + "/reports?year=2026"
	do("opening the site", chromedp.Navigate(asked))
	do("waiting for the form", chromedp.WaitVisible(chromedp.CSS(`input[name="password"]`)))
	shoot("sign-in")

	submit("alice", "not the password")
	do("waiting for the form again", chromedp.WaitVisible(chromedp.CSS(`input[name="password"]`)))
	shoot("wrong-password")

	submit("alice", alicePassword)
	if got := at(); got != asked {
		t.Errorf("landed on %s, want %s", got, asked)
	}
	body, err := chromedp.Run(tab, chromedp.Text(chromedp.CSS("body")))
	if err != nil || !strings.Contains(body, "Remote-User: alice") {
		t.Errorf("the page does not greet alice: %q, %v", body, err)
	}

	do("opening the sign-out page", chromedp.Navigate(origin+"/.gatehouse/logout"))
	shoot("sign-out")
	if _, err := chromedp.RunResponse(tab, chromedp.Click(chromedp.CSS(`form button`))); err != nil {
		t.Fatalf("signing out: %v", err)
	}
	shoot("signed-out")
	do("opening the site again", chromedp.Navigate(asked), chromedp.WaitVisible(chromedp.CSS(`input[name="password"]`)))

	do("opening an address of ours that is none", chromedp.Navigate(origin+"/.gatehouse/nonesuch"))
	shoot("nothing-here")
}

// TestWalk_ThroughThePortal signs in once at a portal for two sites, all on
// names of their own behind Caddy's own certificate authority, with a real
// browser: its rules for cookies, forms and redirects are stricter than those of
// any client of ours.
func TestWalk_ThroughThePortal(t *testing.T) {
	n := startProduction(t)
	tab := chromium.Start(t, "MAP *:443 "+n.Route("x:443"))
	open := func(address string) {
		t.Helper()
		if err := chromedp.Do(tab, chromedp.Navigate(address)); err != nil {
			t.Fatalf("opening %s: %v", address, err)
		}
	}
	sites := []string{
		fmt.Sprintf("https://app.localhost:%d", n.HTTPSPort), fmt.Sprintf("https://wiki.localhost:%d", n.HTTPSPort),
	}
	open(sites[0] + "/reports?year=2026")
	if err := chromedp.Do(tab, chromedp.WaitVisible(chromedp.CSS(`input[name="password"]`)),
		chromedp.SendKeys(chromedp.CSS(`input[name="username"]`), "alice"),
		chromedp.SendKeys(chromedp.CSS(`input[name="password"]`), alicePassword),
		chromedp.Click(chromedp.CSS(`form button`))); err != nil {
		t.Fatal(err)
	}
	wantLocation := func(want string) {
		t.Helper()
		at := ""
		await(t, 30*time.Second, "arriving at "+want, func() bool {
			at, _ = chromedp.Run(tab, chromedp.Location()) // fails in the middle of a navigation
			return at == want
		})
	}
	wantLocation(sites[0] + "/reports?year=2026")
	open(sites[1] + "/")
	wantLocation(sites[1] + "/")
}
