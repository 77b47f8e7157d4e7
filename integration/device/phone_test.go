package device_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/gatehouse-auth/gatehouse/integration/chromium"
)

// screenshots are pictures for people to look at; git ignores them.
var screenshots = filepath.Join("..", "testdata", "screenshots")

// phone is a real browser of a phone's size.
type phone struct {
	t   *testing.T
	tab context.Context //nolint:containedctx // that is how chromedp names a tab
}

func openPhone(t *testing.T) phone {
	t.Helper()
	p := phone{t: t, tab: chromium.Start(t, "")}
	for _, device := range chromium.Devices() {
		if device.Name == "phone-light" {
			p.do("emulating a phone", chromium.Emulate(device))
		}
	}
	return p
}

func (p phone) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.tab, steps...); err != nil {
		p.t.Fatalf("%s: %v", what, err)
	}
}

func (p phone) open(address string) {
	p.t.Helper()
	p.do("opening "+address, chromedp.Navigate(address))
}

// signIn fills in the form that comes before a code is looked up.
func (p phone) signIn(user string) {
	p.t.Helper()
	p.do("signing in", chromedp.WaitVisible(chromedp.CSS(`input[name="password"]`)),
		chromedp.SendKeys(chromedp.CSS(`input[name="username"]`), user),
		chromedp.SendKeys(chromedp.CSS(`input[name="password"]`), passwordOf(user)))
	p.click(`form button`)
}

// press sends the answer to the page's question.
func (p phone) press(decision string) {
	p.t.Helper()
	p.click(`button[value="` + decision + `"]`)
}

func (p phone) click(selector string) {
	p.t.Helper()
	if _, err := chromedp.RunResponse(p.tab, chromedp.Click(chromedp.CSS(selector))); err != nil {
		p.t.Fatalf("pressing %s: %v", selector, err)
	}
}

// text is what a person reads, and checks that no part of the page is beyond
// the screen's edge.
func (p phone) text() string {
	p.t.Helper()
	wide, err := chromedp.Run(p.tab, chromedp.Evaluate[int64](`document.documentElement.scrollWidth - innerWidth`))
	if err != nil || wide > 0 {
		p.t.Errorf("the page is %d px wider than the phone, %v", wide, err)
	}
	text, err := chromedp.Run(p.tab, chromedp.Text(chromedp.CSS("body")))
	if err != nil {
		p.t.Fatal(err)
	}
	return text
}

// shoot takes a picture on a phone, light and dark, and leaves the phone light.
func (p phone) shoot(page string) {
	p.t.Helper()
	devices := chromium.Devices()
	for _, device := range []chromium.Device{devices[3], devices[2]} {
		chromium.Shoot(p.tab, p.t, screenshots, page, device)
	}
}
