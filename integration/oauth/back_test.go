package oauth_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"golang.org/x/crypto/bcrypt"

	"github.com/gatehouse-auth/gatehouse/integration/chromium"
	"github.com/gatehouse-auth/gatehouse/integration/gateway"
	"github.com/gatehouse-auth/gatehouse/integration/upstream"
)

// startGatewayProvider runs another gateway as the provider, at another host name than
// the gateway's, whose cookies it must not see.
func startGatewayProvider(t *testing.T, redirectURI, secret string) (issuer string) {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(alicePassword), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	secrets := new(gateway.Secrets)
	secrets.Learn("client secret", secret)
	issuer = fmt.Sprintf("http://127.0.0.1:%d", gateway.FreePort(t))
	gateway.Start(t, gateway.Options{Secrets: secrets, Caddyfile: fmt.Sprintf(`{
	gatehouse {
		issuer %[1]s
		provider local {
			user alice %[2]s {
				email alice@example.com
			}
		}
		client gateway {
			secret %[3]s
			redirect_uri %[4]s
			first_party
		}
	}
}
%[1]s {
	gatehouse_portal
}
`, issuer, hash, secret, redirectURI)})
	return issuer
}

// seen are the addresses that the browser asked for.
type seen struct {
	mu  sync.Mutex
	all []string
}

func (s *seen) add(event any) {
	if request, ok := event.(*network.EventRequestWillBeSent); ok {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.all = append(s.all, request.Request.URL)
	}
}

// last is the last address with a part.
func (s *seen) last(part string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range slices.Backward(s.all) {
		if strings.Contains(v, part) {
			return v
		}
	}
	return ""
}

// TestBack_LeadsOn: with a real browser, whoever goes back to the provider's page after
// the sign-in and signs in there again, reloads the provider's answer, opens a bookmark
// of it, or sends a form that was left open comes to the page that they wanted
// (oauth2-proxy#1387). After a sign-out the bookmark leads to a page that offers a new
// beginning, and blames no cookies.
func TestBack_LeadsOn(t *testing.T) {
	for _, portal := range []bool{false, true} {
		t.Run(fmt.Sprintf("portal: %t", portal), func(t *testing.T) {
			const secret = "a-secret-of-the-gateway-at-the-provider"
			site := origin(t, "http")
			issuer, option, more := site+"/.gatehouse", "", ""
			if portal {
				issuer = origin(t, "http")
				option, more = "issuer "+issuer, issuer+" {\n\tgatehouse_portal\n}\n"
			}
			provider := startGatewayProvider(t, issuer+"/callback/sso", secret)
			secrets := new(gateway.Secrets)
			secrets.Learn("client secret", secret)
			gateway.Start(t, gateway.Options{Secrets: secrets, Caddyfile: fmt.Sprintf(`{
	gatehouse {
		%s
		provider sso oidc %s {
			client_id gateway
			client_secret %s
		}
	}
}
%s
%s {
	gatehouse
	reverse_proxy %s
}
`, option, provider, secret, more, site, upstream.Start(t).Addr)})

			b, asked, addresses := tab{t, chromium.Start(t, "")}, site+"/reports?year=2026", new(seen)
			if err := chromedp.Listen(b.ctx, addresses.add); err != nil {
				t.Fatal(err)
			}
			b.do("watching", chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
				_, err := cdp.Call(ctx, tab, network.Enable, network.EnableParams{})
				return err
			}))
			arrives := func(how string) {
				t.Helper()
				at := ""
				for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
					if at, _ = chromedp.Run(b.ctx, chromedp.Location()); at == asked { // fails in the middle of a navigation
						return
					}
				}
				text, _ := chromedp.Run(b.ctx, chromedp.Text(chromedp.CSS("body")))
				t.Fatalf("%s: arrives at %s, want %s:\n%s", how, at, asked, text)
			}
			password := chromedp.CSS(`input[name="password"]`)
			signIn := chromedp.Steps(chromedp.WaitVisible(password), chromedp.SetValue(chromedp.CSS(`input[name="username"]`), "alice"),
				chromedp.SendKeys(password, alicePassword), chromedp.Click(chromedp.CSS("form button")))
			forget := chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
				for _, c := range []string{"gatehouse-portal", "gatehouse"} {
					if _, err := cdp.Call(ctx, tab, network.DeleteCookies, network.DeleteCookiesParams{Name: c, URL: provider}); err != nil {
						return err
					}
				}
				return nil
			})

			b.do("signing in", chromedp.Navigate(asked), signIn)
			arrives("the sign-in")
			answer := addresses.last("/callback/sso?")
			if answer == "" {
				t.Fatal("the browser passed no answer of the provider's")
			}

			b.do("going back", forget, chromedp.NavigateBack(), signIn)
			arrives("signing in again after Back")
			b.do("going back, signed in at the provider", chromedp.NavigateBack())
			arrives("Back, signed in at the provider")
			b.do("opening the answer", chromedp.Navigate(answer))
			arrives("a bookmark of the answer")
			b.do("reloading", chromedp.Reload())
			arrives("a reload")

			other, cancel := chromedp.NewContext(b.ctx)
			defer cancel()
			form := tab{t, other}
			form.do("leaving a form open", chromedp.Navigate(site+"/.gatehouse/logout"), chromedp.WaitVisible(chromedp.CSS("form button")))
			b.do("signing out", chromedp.Navigate(site+"/.gatehouse/logout"))
			if _, err := chromedp.RunResponse(b.ctx, chromedp.Click(chromedp.CSS(`form button`))); err != nil {
				t.Fatal(err)
			}
			if _, err := chromedp.RunResponse(form.ctx, chromedp.Click(chromedp.CSS("form button"))); err != nil { // until its answer is loaded
				t.Fatal(err)
			}
			for _, how := range []string{"the stale form", "the bookmark when signed out"} {
				if how != "the stale form" {
					form.do("opening it", chromedp.Navigate(answer))
				}
				form.do(how, chromedp.WaitVisible(chromedp.CSS("h1")))
				text, err := chromedp.Run(form.ctx, chromedp.Text(chromedp.CSS("body")))
				if err != nil || strings.Contains(text, "cookie") {
					t.Errorf("%s: %s, %v", how, text, err)
				}
			}
		})
	}
}
