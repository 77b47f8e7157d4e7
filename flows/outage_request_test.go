package flows_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/cache/redis"
	"github.com/gatehouse-auth/gatehouse/cache/redis/redistest"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

func (f failingStore) Consents(ctx context.Context, subject string) ([]tokenstore.Consent, error) {
	return failing(f.outage, "Consents", tokenstore.ErrUnavailable, func() ([]tokenstore.Consent, error) { return f.Store.Consents(ctx, subject) })
}

func (f failingCache) StartFlow(ctx context.Context, n cache.NewFlow) error {
	_, err := failing(f.outage, "StartFlow", cache.ErrUnavailable, func() (any, error) { return nil, f.Store.StartFlow(ctx, n) })
	return err
}

func (f failingCache) Peek(ctx context.Context, counts ...cache.Count) ([]cache.Throttle, error) {
	return failing(f.outage, "Peek", cache.ErrUnavailable, func() ([]cache.Throttle, error) { return f.Store.Peek(ctx, counts...) })
}

// onBothCaches runs a test with an outage of the cache in memory, and of Redis.
func onBothCaches(t *testing.T, name string, test func(t *testing.T, o *outage, wrap func(tokenstore.Store, cache.Store) (tokenstore.Store, cache.Store))) {
	t.Run(name+", in memory", func(t *testing.T) {
		o := &outage{}
		test(t, o, o.wrap)
	})
	t.Run(name+", on Redis", func(t *testing.T) {
		o := &outage{}
		shared, err := redis.New(redis.Options{URL: redistest.URL(t)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = shared.Close() })
		test(t, o, func(s tokenstore.Store, _ cache.Store) (tokenstore.Store, cache.Store) { return o.wrap(s, shared) })
	})
}

// tryAgain does what pages that say so tell, by reloading or by their button, and
// counts them.
func tryAgain(t *testing.T, b *browser, way string) (tries int) {
	t.Helper()
	for ; b.last.StatusCode == http.StatusServiceUnavailable && tries < 10; tries++ {
		if strings.Contains(strings.ToLower(b.body), "cookie") {
			t.Errorf("the page blames cookies:\n%s", b.body)
		}
		if way == "reload" {
			b.get(b.last.Request.URL.String())
		} else {
			b.follow("Try again")
		}
	}
	return tries
}

// TestOutage_ConsumesNoPushedRequest: a browser that is told to try again may reload
// (RFC 9126, section 4), and nobody else can.
func TestOutage_ConsumesNoPushedRequest(t *testing.T) {
	for name, test := range map[string]struct{ refused, lost map[string]int }{
		"the cache is down":                         {refused: map[string]int{"RedeemFlow": 2}},
		"its answer is lost":                        {lost: map[string]int{"RedeemFlow": 1}},
		"its answer is lost again and again":        {lost: map[string]int{"RedeemFlow": 3}},
		"it is down when the code is to be kept":    {refused: map[string]int{"StartFlow": 2}},
		"its answer about the code is lost":         {lost: map[string]int{"StartFlow": 1}},
		"one answer is lost after the other":        {lost: map[string]int{"RedeemFlow": 2, "StartFlow": 1}},
		"the token store does not tell of consents": {refused: map[string]int{"Consents": 2}},
	} {
		onBothCaches(t, name, func(t *testing.T, o *outage, wrap func(tokenstore.Store, cache.Store) (tokenstore.Store, cache.Store)) {
			w := newWorld(t, worldOptions{portal: true, clients: oauthClients(), wrap: wrap})
			web, b := app{t, w, "other", "other-secret-of-enough-length"}, w.signedInBrowser()
			b.get(w.portalURL() + "/authorize?" + authorizeParams("other", "https://other.test/cb", "openid").Encode())
			b.submit(url.Values{"decision": {"approve"}})
			for _, way := range []string{"reload", "button"} {
				pushed := web.post("par", authorizeParams("other", "https://other.test/cb", "openid"))
				address := w.portalURL() + "/authorize?" + url.Values{"client_id": {"other"}, "request_uri": {pushed.text("request_uri")}}.Encode()
				o.set(test.refused, test.lost)
				tries := 0
				if b.get(address); b.last.StatusCode == http.StatusServiceUnavailable {
					if o.set(nil, nil); test.lost["RedeemFlow"] > 0 {
						newBrowser(t).get(address).want(http.StatusBadRequest, "used already")
					}
					o.set(test.refused, test.lost)
					tries = tryAgain(t, b, way)
				}
				to, _ := url.Parse(b.last.Header.Get("Location"))
				if tries == 0 || to.Query().Get("code") == "" || to.Query().Get("state") != "s t/ä" {
					t.Fatalf("%s: after %d tries %d, to %s:\n%s", way, tries, b.last.StatusCode, to, b.body)
				}
				code := redeem(to.Query().Get("code"))
				code.Set("redirect_uri", "https://other.test/cb")
				if got := web.post("token", code); got.status != http.StatusOK {
					t.Errorf("%s: %d %v", way, got.status, got.body)
				}
				b.get(address).want(http.StatusBadRequest, "used already")
				newBrowser(t).get(address).want(http.StatusBadRequest, "used already")
			}
		})
	}
}

// TestOutage_WhenAPortalIssuesACode: the provider's code is spent, and the person is
// signed in at the portal. What is left is not asked of the provider again.
func TestOutage_WhenAPortalIssuesACode(t *testing.T) {
	for name, test := range map[string]struct{ refused, lost map[string]int }{
		"the cache is down for a moment":    {refused: map[string]int{"AdvanceFlow": 1}},
		"the cache is down":                 {refused: map[string]int{"AdvanceFlow": 3, "StartFlow": 3}},
		"the cache's answer is lost":        {lost: map[string]int{"AdvanceFlow": 1}},
		"the cache's answers are lost":      {lost: map[string]int{"AdvanceFlow": 2, "StartFlow": 2}},
		"one is lost, and then it is down":  {lost: map[string]int{"AdvanceFlow": 1}, refused: map[string]int{"StartFlow": 2}},
		"down, and then an answer was lost": {refused: map[string]int{"AdvanceFlow": 1}, lost: map[string]int{"StartFlow": 2}},
	} {
		onBothCaches(t, name, func(t *testing.T, o *outage, wrap func(tokenstore.Store, cache.Store) (tokenstore.Store, cache.Store)) {
			_, rp := twoWorldsWith(t, worldOptions{portal: true, wrap: wrap})
			for _, way := range []string{"reload", "button"} {
				b := newBrowser(t)
				b.get(rp.siteURL("app")+"/reports?year=2026").want(200, "password")
				o.set(test.refused, test.lost)
				b.signIn("alice", "wonderland")
				tries := tryAgain(t, b, way)
				if (tries > 0) != (test.refused["StartFlow"]+test.lost["StartFlow"] > 0) {
					t.Errorf("%s: told to try again %d times", way, tries)
				}
				b.want(200, "hello alice@example.com at /reports?year=2026")
			}
			if n := rp.sessionsOf(""); n != 4 { // two browsers, each at the portal and the site
				t.Errorf("%d sessions are there", n)
			}
		})
	}
}

// TestOutage_OfTheStoreBeforeAConsent: a client's request goes on at the question, and
// not at the provider.
func TestOutage_OfTheStoreBeforeAConsent(t *testing.T) {
	for _, way := range []string{"reload", "button"} {
		o := &outage{}
		_, rp := twoWorldsWith(t, worldOptions{portal: true, wrap: o.wrap, clients: oauthClients()})
		b := newBrowser(t)
		b.get(rp.portalURL()+"/authorize?"+authorizeParams("other", "https://other.test/cb", "openid email").Encode()).want(200, "password")
		o.set(map[string]int{"Consents": 3}, nil)
		b.signIn("alice", "wonderland")
		if tries := tryAgain(t, b, way); tries == 0 {
			t.Errorf("%s: there was no outage", way)
		}
		b.want(200, "e-mail address")
		asked := b.held()
		asked.last, asked.body = b.last, b.body
		asked.submit(url.Values{"decision": {"approve"}})
		if to := asked.last.Header.Get("Location"); !strings.HasPrefix(to, "https://other.test/cb?code=") {
			t.Errorf("%s: %d, to %s", way, asked.last.StatusCode, to)
		}
	}
}

// TestOutage_BeforeADeviceIsShown: the person has signed in for it, and need not do so
// once more.
func TestOutage_BeforeADeviceIsShown(t *testing.T) {
	for _, way := range []string{"reload", "button"} {
		o := &outage{}
		_, rp := twoWorldsWith(t, worldOptions{portal: true, wrap: o.wrap, clients: oauthClients()})
		cli := app{t, rp, "cli", ""}
		started := cli.device()
		b := newBrowser(t)
		b.get(started.text("verification_uri_complete")).want(200, "password")
		o.set(map[string]int{"Peek": 1}, nil)
		b.signIn("alice", "wonderland")
		tryAgain(t, b, way)
		b.want(200, started.text("user_code"))
		b.submit(url.Values{"user_code": {started.text("user_code")}}).want(200, "decision")
		b.submit(url.Values{"decision": {"approve"}}).want(200, "")
		if got := cli.poll(started); got.status != http.StatusOK {
			t.Errorf("%s: %d %v", way, got.status, got.body)
		}
	}
}
