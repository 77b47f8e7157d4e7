package clients_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/gatehouse-auth/gatehouse/integration/chromium"
)

// servePage serves a page's files, and at paths that end in a slash folders, and returns
// its origin.
func servePage(t *testing.T, files map[string]string) string {
	t.Helper()
	mux := http.NewServeMux()
	for path, file := range files {
		if strings.HasSuffix(path, "/") {
			mux.Handle(path, http.StripPrefix(path, http.FileServer(http.Dir(file))))
			continue
		}
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, file) })
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return "http://localhost" + server.URL[strings.LastIndexByte(server.URL, ':'):]
}

// tab is a tab of a real browser.
type tab struct {
	t   *testing.T
	ctx context.Context //nolint:containedctx // that is how chromedp names a tab
}

func (b tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
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

// done waits until the page of a name has said what came of it.
func (b tab) done(name string) string {
	b.t.Helper()
	b.do("waiting for the page "+name, chromedp.WaitVisible(chromedp.CSS("#done."+name)))
	return evaluated[string](b, `document.querySelector("#done").textContent`)
}

// renewal is what a silent renewal came to.
type renewal struct {
	Email, Type, Error string
	Renewed            bool
}

// TestPage: oidc-client-ts signs in from a page of a public client at a port that its
// registration leaves open, renews in a hidden frame (prompt=none), with the answer in
// the query or a fragment and tokens bound by DPoP or not, and signs out; then a silent
// renewal finds nobody.
func TestPage(t *testing.T) {
	const html = "page/oidc-client-ts.html"
	page := servePage(t, map[string]string{
		"/{$}": html, "/callback": html, "/silent": html, "/goodbye": html,
		"/page.js":           "page/page.js",
		"/oidc-client-ts.js": filepath.Join(modules(t), "node_modules", "oidc-client-ts", "dist", "browser", "oidc-client-ts.js"),
	})
	w := start(t, `client page {
		public
		redirect_uri http://localhost/callback http://localhost/silent
		post_logout_redirect_uri http://localhost/goodbye
		response_modes query fragment
	}`)
	b := tab{t, chromium.Start(t, "")}
	for i, c := range []struct {
		mode string
		dpop bool
		kind string
	}{{"query", false, "Bearer"}, {"fragment", true, "DPoP"}} {
		b.do("opening the page", chromedp.Navigate(page+"/"))
		b.done("start")
		evaluated[bool](b, fmt.Sprintf("configure(%q, %t, %q).then(() => true)", w.issuer, c.dpop, c.mode))
		b.do("opening the page", chromedp.Navigate(page+"/"))
		b.done("start")
		b.do("signing in", chromedp.Evaluate[chromedp.Void](`void begin()`), chromedp.WaitVisible(chromedp.CSS(`input[name="password"]`)),
			chromedp.SendKeys(chromedp.CSS(`input[name="username"]`), "alice"), chromedp.SendKeys(chromedp.CSS(`input[name="password"]`), password),
			chromedp.Click(chromedp.CSS(`form button`)))
		if i == 0 {
			b.do("consenting", chromedp.WaitVisible(chromedp.CSS(`button[value="approve"]`)), chromedp.Click(chromedp.CSS(`button[value="approve"]`)))
		}
		if said := b.done("callback"); said != "alice@example.com" {
			t.Fatalf("%s: signing in ends with %s", c.mode, said)
		}
		if got := evaluated[renewal](b, "silent()"); got.Email != "alice@example.com" || !got.Renewed || got.Type != c.kind {
			t.Errorf("%s: a silent renewal: %+v", c.mode, got)
		}
		b.do("signing out", chromedp.Evaluate[chromedp.Void](`void leave()`))
		if said := b.done("goodbye"); said != "goodbye" {
			t.Fatalf("%s: signing out ends with %s", c.mode, said)
		}
		if got := evaluated[renewal](b, "silent()"); got.Error != "login_required" {
			t.Errorf("%s: a silent renewal after the sign-out: %+v", c.mode, got)
		}
	}
}
