package chromium_test

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/gatehouse-auth/gatehouse/integration/chromium"
)

// forms serves a page whose form's POST is answered by 303, and what that leads to.
// Names of localhost are sites of their own: the form is at a, an application at b, and
// where it sends the browser from there at c.
func forms(t *testing.T) (origin func(host string) string) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/cookies", func(w http.ResponseWriter, _ *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "lax", Value: "x", SameSite: http.SameSiteLaxMode})
		http.SetCookie(w, &http.Cookie{Name: "strict", Value: "x", SameSite: http.SameSiteStrictMode})
	})
	mux.HandleFunc("/form", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", r.FormValue("policy"))
		_, _ = fmt.Fprintf(w, `<!doctype html><form method="post" action="/post?to=%s"><button>go</button></form>
			<script>document.onsecuritypolicyviolation = e => { document.title = e.effectiveDirective }</script>`,
			html.EscapeString(url.QueryEscape(r.FormValue("to"))))
	})
	redirect := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", r.URL.Query().Get("to"))
			w.WriteHeader(status)
		}
	}
	mux.HandleFunc("/post", redirect(http.StatusSeeOther))
	mux.HandleFunc("/hop", redirect(http.StatusFound))
	mux.HandleFunc("/end", func(w http.ResponseWriter, r *http.Request) {
		cookies := make([]string, 0, 2)
		for _, c := range r.Cookies() {
			cookies = append(cookies, c.Name)
		}
		_, _ = fmt.Fprintf(w, "%s with %s", r.Method, strings.Join(cookies, " "))
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	port := server.URL[strings.LastIndexByte(server.URL, ':'):]
	return func(host string) string { return "http://" + host + ".localhost" + port }
}

// TestForms_AreHeldToFormActionThroughEveryRedirect is why pages with a form have no
// form-action in their policy (PrefectHQ/fastmcp#2302 and #3369, w3c/webappsec-csp#8):
// the browser ends the chain of redirects at the first address that the form's page does
// not name, whoever sends it there, and shows nothing. Without form-action a 303 leads
// through all of them, with the cookies that a navigation has.
func TestForms_AreHeldToFormActionThroughEveryRedirect(t *testing.T) {
	origin := forms(t)
	ctx := chromium.Start(t, "")
	if err := chromedp.Do(ctx, chromedp.Navigate(origin("c")+"/cookies"), chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, network.Enable, network.EnableParams{})
		return err
	})); err != nil {
		t.Fatal(err)
	}
	end := origin("c") + "/end"
	hop := origin("b") + "/hop?to=" + url.QueryEscape(end)
	app := "com.example.app:/cb?code=x"
	appHop := origin("b") + "/hop?to=" + url.QueryEscape(app)
	const self = "form-action 'self'"
	for _, c := range []struct {
		policy, to string
		held       bool
	}{
		{self, end, true},
		{self + " " + origin("c"), end, false},
		{self + " " + origin("b"), hop, true},
		{"", hop, false},
		{self, app, true},
		{"form-action *", app, true},
		{self + " com.example.app:", app, false},
		{self + " " + origin("b"), appHop, true},
		{"", app, false},
		{"", appHop, false},
	} {
		form := origin("a") + "/form?" + url.Values{"policy": {c.policy}, "to": {c.to}}.Encode()
		if err := chromedp.Do(ctx, chromedp.Navigate(form)); err != nil {
			t.Fatal(err)
		}
		click := chromedp.Click(chromedp.CSS("button"))
		if !c.held && c.to != app && c.to != appHop {
			if _, err := chromedp.RunResponse(ctx, click); err != nil {
				t.Fatalf("%q to %s: %v", c.policy, c.to, err)
			}
			text, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS("body")))
			if err != nil || text != "GET with lax" {
				t.Errorf("%q to %s ends with %q, %v", c.policy, c.to, text, err)
			}
			continue
		}
		// Where an application takes over, the navigation ends, too, but no policy is violated.
		if _, err := chromedp.Run(ctx, chromedp.WaitEvent(network.LoadingFailed, nil, click)); err != nil {
			t.Fatalf("%q to %s: %v", c.policy, c.to, err)
		}
		const painted = `new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(document.title))))`
		violated, err := chromedp.Run(ctx, chromedp.Evaluate[string](painted, chromedp.EvalAwaitPromise))
		if err != nil || (violated == "form-action") != c.held {
			t.Errorf("%q to %s: violates %q, %v", c.policy, c.to, violated, err)
		}
	}
}
