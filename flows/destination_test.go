package flows_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

// countedCodes is a provider that counts the codes that were sent to it.
type countedCodes struct {
	provider.Redirect
	codes *atomic.Int64
}

func (c countedCodes) Exchange(ctx context.Context, cb provider.Callback) (provider.Result, error) {
	c.codes.Add(1)
	return c.Redirect.Exchange(ctx, cb)
}

// record notes every address that the browser is sent to.
func (b *browser) record(to *[]string) {
	b.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		*to = append(*to, req.URL.String())
		if len(via) > 15 {
			b.t.Errorf("a sign-in without end: %s", strings.Join(*to, "\n"))
			return http.ErrUseLastResponse
		}
		return nil
	}
}

// find is the last address that holds something.
func find(t *testing.T, all []string, part string) string {
	t.Helper()
	for _, address := range slices.Backward(all) {
		if strings.Contains(address, part) {
			return address
		}
	}
	t.Fatalf("no %s in\n%s", part, strings.Join(all, "\n"))
	return ""
}

// TestBack_LeadsOn: oauth2-proxy#1387. Who goes back in the history and signs in at the
// provider once more, or sends its answer again, gets to the page that they wanted; no
// second code is exchanged, and nobody is told to allow cookies that they do allow.
func TestBack_LeadsOn(t *testing.T) {
	for _, portal := range []bool{false, true} {
		t.Run(map[bool]string{false: "single site", true: "portal"}[portal], func(t *testing.T) {
			var codes atomic.Int64
			op, rp := twoWorldsWrapped(t, worldOptions{portal: portal}, func(p provider.Redirect) provider.Provider { return countedCodes{p, &codes} })
			b := newBrowser(t)
			var steps []string
			b.record(&steps)
			b.get(rp.siteURL("app")+"/deep?c=3").signIn("alice", "wonderland").want(http.StatusOK, "at /deep?c=3")
			way := steps
			before := codes.Load()
			again := []string{
				strings.Replace(find(t, way, "/callback/outside"), "code=", "code=another-", 1), // Back, and once more
				find(t, way, "/callback/outside"),                                               // reload, bookmark
				find(t, way, "/callback"),
			}
			if !portal { // whose cookie the provider's would take the place of here
				again = append(again, find(t, way, op.portalURL()+"/authorize"))
			}
			for _, to := range again {
				b.get(to).want(http.StatusOK, "at /deep?c=3")
			}
			if got := codes.Load(); got != before {
				t.Errorf("%d more codes were exchanged", got-before)
			}
			// Somebody else who is signed in does not get to a page of hers.
			bob := newBrowser(t)
			bob.get(rp.siteURL("app")+"/bobs").signIn("bob", "builder").want(http.StatusOK, "hello outside")
			bob.get(find(t, way, "/callback/outside")).want(http.StatusBadRequest, "signed in already")
			// Nor is anybody blamed for cookies who has signed out since, or is late.
			b.get(rp.siteURL("app") + "/.gatehouse/logout").submit(nil)
			b.get(find(t, way, "/callback/outside"))
			if b.last.StatusCode != http.StatusBadRequest || strings.Contains(b.body, "Cookies are blocked") {
				t.Errorf("after the sign-out: %d %s", b.last.StatusCode, b.body)
			}
			rp.clock.advance(time.Hour)
			newBrowser(t).get(find(t, way, "/callback/outside")).want(http.StatusBadRequest, "has expired")
		})
	}
}

// A page that says that a sign-in failed may be loaded again: it still knows what the
// sign-in was for.
func TestBack_AfterARefusal(t *testing.T) {
	_, rp := twoWorlds(t, nil)
	b := newBrowser(t)
	u := mustParse(t, stopAtCallback(t, b, rp))
	query := u.Query()
	query.Del("code")
	query.Set("error", "access_denied")
	u.RawQuery = query.Encode()
	b.get(u.String()).want(http.StatusForbidden, "cancelled or refused")
	b.get(u.String()).want(http.StatusBadRequest, "return_to=%2Fsecret")
	b.follow("Start again").want(http.StatusOK, "hello alice@example.com at /secret")
	b.get(u.String()).want(http.StatusBadRequest, "return_to=%2Fsecret")
}

// A form of a page that was open for too long says so and leads back to what the
// sign-in was for; whoever is signed in by then is there at once.
func TestBack_StaleForm(t *testing.T) {
	for _, portal := range []bool{false, true} {
		t.Run(map[bool]string{false: "single site", true: "portal"}[portal], func(t *testing.T) {
			w := newWorld(t, worldOptions{portal: portal})
			b := newBrowser(t)
			b.get(w.siteURL("app")+"/deep?a=1").want(http.StatusOK, "password")
			stale := *b
			w.clock.advance(2 * time.Hour)
			b.get(w.siteURL("app")+"/deep?a=1").signIn("alice", "wonderland").want(http.StatusOK, "hello alice")
			b.last, b.body = stale.last, stale.body
			b.signIn("alice", "wonderland").want(http.StatusBadRequest, "open too long")
			b.follow("Start again").want(http.StatusOK, "hello alice at "+map[bool]string{false: "/deep?a=1", true: "/"}[portal])
		})
	}
}

// The cookie of a form goes before the page does; other cookies come, so the browser is
// told nothing of them.
func TestBack_FormWithoutItsCookie(t *testing.T) {
	w := newWorld(t, worldOptions{})
	b := newBrowser(t)
	b.get(w.siteURL("app")+"/deep").signIn("alice", "wonderland").want(http.StatusOK, "hello alice")
	b.get(w.siteURL("app")+"/.gatehouse/login?prompt=login").want(http.StatusOK, "password")
	b.Jar.SetCookies(mustParse(t, w.siteURL("app")+"/.gatehouse/"), []*http.Cookie{{Name: "gatehouse-form", Path: "/.gatehouse/", MaxAge: -1}})
	b.signIn("alice", "wonderland").want(http.StatusForbidden, "try again")
	if strings.Contains(b.body, "Cookies are blocked") {
		t.Error("cookies are blamed")
	}
	b.signIn("alice", "wonderland").want(http.StatusOK, "hello alice")
}
