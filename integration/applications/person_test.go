package applications_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/gatehouse-auth/gatehouse/integration/browser"
	"github.com/gatehouse-auth/gatehouse/integration/chromium"
)

const password = "wonderland"

// person is alice's browser, signed in at the site.
func (w *world) person(t *testing.T) *browser.Browser {
	t.Helper()
	b := browser.New(t, browser.Options{Route: w.node.Route, Learn: w.node.Secrets.Learn})
	w.signIn(t, b)
	return b
}

// signIn opens the site, and has alice sign in on the way.
func (w *world) signIn(t *testing.T, b *browser.Browser) {
	t.Helper()
	page := b.Open(w.site + "/")
	page = b.Submit(page, b.Find(page, "password"), map[string]string{"username": "alice", "password": password})
	if origin := browser.Origin(page.URL); origin != w.site || page.URL.Path == "/.gatehouse/login" {
		t.Fatalf("signing in ends at %s with %d\n%s", page.URL, page.Status, page.Path())
	}
}

// endSessions ends everybody's sessions, as an operator does.
func (w *world) endSessions(t *testing.T) {
	t.Helper()
	var listed struct {
		Sessions []struct {
			Subject string `json:"subject"`
		} `json:"sessions"`
	}
	if err := json.Unmarshal([]byte(w.node.Verb(t, "sessions", "list", "--all", "--json")), &listed); err != nil || len(listed.Sessions) == 0 {
		t.Fatalf("no session is listed: %v", err)
	}
	for _, s := range listed.Sessions {
		w.node.Verb(t, "sessions", "revoke", "--subject", s.Subject)
	}
}

// tab is a tab of a real browser.
type tab struct {
	t   *testing.T
	ctx context.Context //nolint:containedctx // that is how chromedp names a tab
}

func newTab(t *testing.T) tab { return tab{t, chromium.Start(t, "")} }

func (b tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
}

// open opens an address, and has alice sign in on the way.
func (b tab) signIn(address string) {
	b.t.Helper()
	b.do("opening "+address, chromedp.Navigate(address))
	b.fillIn()
}

// fillIn has alice sign in at the form, once it is there.
func (b tab) fillIn() {
	b.t.Helper()
	b.do("signing in", chromedp.WaitVisible(chromedp.CSS(`input[name="password"]`)),
		chromedp.SendKeys(chromedp.CSS(`input[name="username"]`), "alice"), chromedp.SendKeys(chromedp.CSS(`input[name="password"]`), password),
		chromedp.Click(chromedp.CSS(`form button`)))
}

// evaluated runs a script in the page and returns what its promise comes to.
func evaluated[T any](b tab, script string) T {
	b.t.Helper()
	value, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", script, err)
	}
	return value
}

// until waits until a script's promise comes to true, in whatever page there is by then.
func (b tab) until(what, script string) {
	b.t.Helper()
	eventually(b.t, what, func() bool {
		value, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](script, chromedp.EvalAwaitPromise))
		return err == nil && value
	})
}
