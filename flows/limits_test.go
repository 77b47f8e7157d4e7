package flows_test

import (
	"net/http"
	"net/url"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/page"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/provider/github"
)

// navigate posts a form as a browser does that shows the answer.
func (b *browser) navigate(to string, form url.Values) *browser {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, to, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Mode", "navigate")
	return b.do(req)
}

// arrived is what a client is told by a redirect; nil if the browser is sent nowhere.
func (b *browser) arrived() url.Values {
	to, err := url.Parse(b.last.Header.Get("Location"))
	if err != nil || to.Host != "web.test" {
		return nil
	}
	return to.Query()
}

// What is accepted works to the end: by each way through the pages, with the
// longest state of each kind of character that is accepted. Some grow where they
// stand in an address, others where they are sealed. What is longer is refused at
// once, and the client is told so.
func TestLimits_WhatIsAcceptedWorksToTheEnd(t *testing.T) {
	var asked url.Values
	server := hub(t, &asked)
	w := newWorld(t, worldOptions{portal: true, clients: logoutClients(), providers: func(now func() time.Time) []provider.Provider {
		p, err := github.New(github.Config{Name: "github", ClientID: "id", ClientSecret: "secret", BaseURL: server.URL, Now: now})
		if err != nil {
			t.Fatal(err)
		}
		return []provider.Provider{localProvider(t, now), p}
	}})
	signedIn := newBrowser(t)
	signedIn.get(w.siteURL("one")+"/").signIn("alice", "wonderland").want(http.StatusOK, "hello alice")
	signedIn = signedIn.held()
	stranger, authorize := newBrowser(t).held(), w.portalURL()+"/authorize"
	for _, filler := range []string{"x", "{", `"`, `\`, "&", "<", "%", " ", `a"b{`} {
		for _, resources := range []int{0, 3} {
			params := func(n int) url.Values {
				v := authorizeParams("web", "https://web.test/cb", "openid")
				v.Set("state", strings.Repeat(filler, n/len(filler)))
				for i := range resources {
					v.Add("resource", w.siteURL("one")+"/"+strings.Repeat("&", 400)+string(rune('a'+i)))
				}
				return v
			}
			// The shortest that is refused.
			over := sort.Search(2*page.MaxURL, func(n int) bool {
				return w.toClient(stranger, params(n)).Get("error") == "invalid_request"
			})
			good, state := params(over-len(filler)), params(over-len(filler)).Get("state")
			if filler == "x" && resources == 0 && len(state) < 4096 {
				t.Errorf("a state of %d bytes is too long", len(state)+1)
			}
			works := func(how string, b *browser, key string) {
				t.Helper()
				if got := b.arrived(); got.Get(key) == "" || got.Get("state") != state {
					t.Errorf("%d of %s, %d resources, %s: %d to %.90s", len(state), filler, resources, how, b.last.StatusCode, b.last.Header.Get("Location"))
				}
			}
			works("signed in", signedIn.get(authorize+"?"+good.Encode()), "code")
			works("signed in, by form", signedIn.navigate(authorize, good), "code")
			works("an error, by form", signedIn.navigate(authorize, with(good, set("scope", "admin"))), "error")

			signedIn.navigate(authorize, with(good, set("prompt", "consent"))).want(http.StatusOK, "decision")
			asks := *signedIn
			works("refused", signedIn.submitNavigating(url.Values{"decision": {"refuse"}}), "error")
			signedIn.last, signedIn.body = asks.last, asks.body
			works("approved", signedIn.submitNavigating(url.Values{"decision": {"approve"}}), "code")

			b := newBrowser(t).held()
			b.get(authorize+"?"+good.Encode()).want(http.StatusOK, "password")
			asks = *b
			works("by password", b.submitNavigating(url.Values{"username": {"alice"}, "password": {"wonderland"}}), "code")
			b = newBrowser(t)
			b.CheckRedirect = func(req *http.Request, _ []*http.Request) error {
				if req.URL.Host == "web.test" {
					return http.ErrUseLastResponse
				}
				return nil
			}
			b.last, b.body = asks.last, asks.body
			works("at a provider", b.follow("Continue with"), "code")

			late := signedIn.navigate(authorize, params(over))
			if got := late.arrived(); got.Get("error") != "invalid_request" || got.Get("iss") != w.portalURL() {
				t.Errorf("%d of %s, by form: %d %v", over, filler, late.last.StatusCode, got)
			}
			w.clock.advance(2 * time.Minute) // unused codes count, while they are good
		}
	}
}

// Signing out at a client's wish as well: what is longer than its answer may be is
// left out, as an address that is not the client's.
func TestLimits_LogoutByAClient(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: logoutClients()})
	for _, filler := range []string{"x", "{", `"`, "&"} {
		state := ""
		for n := range 20 {
			// Each sign-out ends a session: the lengths around the limits only.
			length := []int{1000, 1500, 2000, 2500, 2600, 2640, 2650, 2660, 2700, 2900, 3000, 3500, 3900, 4000, 4090, 4095, 4096, 4097, 5000, 9000}[n]
			params := url.Values{"client_id": {"web"}, "post_logout_redirect_uri": {"https://web.test/bye"}, "state": {strings.Repeat(filler, length)}}
			b := newBrowser(t).held()
			b.get(w.portalURL() + "/logout?" + params.Encode())
			if b.arrived() == nil {
				continue
			}
			state = params.Get("state")
			b = w.signedInBrowser()
			got := foreignPost(t, b, w.portalURL()+"/logout", params)
			b.get(w.portalURL()+got.last.Header.Get("Location")).want(http.StatusOK, "alice")
			if b.submitNavigating(nil); b.arrived().Get("state") != state {
				t.Errorf("%d of %s: %d\n%s", length, filler, b.last.StatusCode, b.body)
			}
		}
		if len(state) < 1500 {
			t.Errorf("%s: no state of 1500 bytes comes back", filler)
		}
	}
}

// A site's own address to return to is accepted up to its limit, and works.
func TestLimits_ReturnTo(t *testing.T) {
	w := newWorld(t, worldOptions{})
	for _, filler := range []string{"x", "&", "<", `"`, "{", "'"} {
		to := "/?" + strings.Repeat(filler, 1190)
		b := newBrowser(t)
		b.get(w.siteURL("one")+"/.gatehouse/login?"+url.Values{"return_to": {to}}.Encode()).want(http.StatusOK, "password")
		held := b.held()
		held.last, held.body = b.last, b.body
		if got := held.submit(url.Values{"username": {"alice"}, "password": {"wonderland"}}).last.Header.Get("Location"); got != to {
			t.Errorf("%s: %d to %.80s", filler, held.last.StatusCode, got)
		}
	}
}
