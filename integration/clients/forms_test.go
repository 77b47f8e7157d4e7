package clients_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/gatehouse-auth/gatehouse/integration/chromium"
)

// application answers at /callback, to a GET or a form, by a redirect to another host of
// its own, which says how the answer came.
func application(t *testing.T) (callback string) {
	t.Helper()
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	port := server.URL[strings.LastIndexByte(server.URL, ':'):]
	mux.HandleFunc("/callback", func(w http.ResponseWriter, r *http.Request) {
		said := r.Method
		for _, name := range []string{"code", "error"} {
			if r.FormValue(name) != "" {
				said += " " + name
			}
		}
		w.Header().Set("Location", "http://home.localhost"+port+"/?said="+url.QueryEscape(said))
		w.WriteHeader(http.StatusSeeOther)
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "<!doctype html><p id=done>"+r.FormValue("said"))
	})
	return "http://app.localhost" + port + "/callback"
}

// TestForms_LeadToWhereTheApplicationGoes: the password form and the consent, approved or
// refused, end where the application sends the browser from its callback, at an origin
// that the gateway has never heard of, by redirects alone (PrefectHQ/fastmcp#3369). The
// answer as a form (response_mode=form_post) goes by itself, and by its button where no
// script runs.
func TestForms_LeadToWhereTheApplicationGoes(t *testing.T) {
	callback := application(t)
	w := start(t, block("app", callback, "response_modes query form_post"))
	for _, c := range []struct {
		mode, decision, want string
		scripts              bool
	}{
		{"query", "refuse", "GET error", true},
		{"query", "approve", "GET code", true},
		{"query", "", "GET code", false}, // allowed before
		{"form_post", "", "POST code", true},
		{"form_post", "", "POST code", false},
	} {
		t.Run(fmt.Sprintf("%s, %s, scripts: %t", c.mode, c.decision, c.scripts), func(t *testing.T) {
			b := tab{t, chromium.Start(t, "")}
			b.do("switching scripts", chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
				_, err := cdp.Call(ctx, tab, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !c.scripts})
				return err
			}))
			asked := url.Values{
				"response_type": {"code"}, "client_id": {"app"}, "redirect_uri": {callback}, "scope": {"openid"},
				"state": {"s"}, "response_mode": {c.mode},
			}
			b.do("signing in", chromedp.Navigate(w.issuer+"/authorize?"+asked.Encode()), chromedp.WaitVisible(chromedp.CSS(`input[name="password"]`)),
				chromedp.SendKeys(chromedp.CSS(`input[name="username"]`), "alice"), chromedp.SendKeys(chromedp.CSS(`input[name="password"]`), password),
				chromedp.Click(chromedp.CSS(`form button`)))
			if c.decision != "" {
				button := chromedp.CSS(`button[value="` + c.decision + `"]`)
				b.do("deciding", chromedp.WaitVisible(button), chromedp.Click(button))
			}
			if c.mode == "form_post" && !c.scripts {
				b.do("sending the answer", chromedp.WaitVisible(chromedp.CSS(`input[name="code"] ~ button, form[action^="http"] button`)),
					chromedp.Click(chromedp.CSS(`form button`)))
			}
			b.do("arriving", chromedp.WaitVisible(chromedp.CSS("#done")))
			said, err := chromedp.Run(b.ctx, chromedp.Text(chromedp.CSS("#done")))
			if err != nil || said != c.want {
				t.Errorf("the application was told %q, want %q: %v", said, c.want, err)
			}
		})
	}
}
