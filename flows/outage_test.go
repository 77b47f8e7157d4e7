package flows_test

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// outage makes calls of some names fail, the next n of each.
type outage struct {
	mu sync.Mutex
	// refused are not carried out, lost are, and their answer is lost.
	refused, lost map[string]int
	seen          map[string]int // calls that failed
}

func (o *outage) take(name string) (refused, lost bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.refused[name] > 0:
		o.refused[name]--
		refused = true
	case o.lost[name] > 0:
		o.lost[name]--
		lost = true
	default:
		return false, false
	}
	o.seen[name]++
	return refused, lost
}

func (o *outage) set(refused, lost map[string]int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.refused, o.lost, o.seen = maps.Clone(refused), maps.Clone(lost), map[string]int{}
}

// failing does a call unless it is to fail.
func failing[T any](o *outage, name string, away error, do func() (T, error)) (T, error) {
	var zero T
	refused, lost := o.take(name)
	if refused {
		return zero, away
	}
	answer, err := do()
	if lost {
		return zero, away
	}
	return answer, err
}

type failingStore struct {
	tokenstore.Store
	*outage
}

func (f failingStore) CreateSession(ctx context.Context, n tokenstore.NewSession) (tokenstore.Session, error) {
	return failing(f.outage, "CreateSession", tokenstore.ErrUnavailable, func() (tokenstore.Session, error) { return f.Store.CreateSession(ctx, n) })
}

func (f failingStore) SignIn(ctx context.Context, s tokenstore.SignIn) (tokenstore.Session, error) {
	return failing(f.outage, "SignIn", tokenstore.ErrUnavailable, func() (tokenstore.Session, error) { return f.Store.SignIn(ctx, s) })
}

type failingCache struct {
	cache.Store
	*outage
}

func (f failingCache) RedeemFlow(ctx context.Context, key string, proof []byte, owner string) (cache.Flow, error) {
	return failing(f.outage, "RedeemFlow", cache.ErrUnavailable, func() (cache.Flow, error) { return f.Store.RedeemFlow(ctx, key, proof, owner) })
}

func (f failingCache) PollFlow(ctx context.Context, key string, proof []byte, owner string) (cache.Flow, error) {
	return failing(f.outage, "PollFlow", cache.ErrUnavailable, func() (cache.Flow, error) { return f.Store.PollFlow(ctx, key, proof, owner) })
}

func (f failingCache) AdvanceFlow(ctx context.Context, t cache.Transition) (cache.Flow, error) {
	return failing(f.outage, "AdvanceFlow", cache.ErrUnavailable, func() (cache.Flow, error) { return f.Store.AdvanceFlow(ctx, t) })
}

func (f failingCache) Flow(ctx context.Context, key string) (cache.Flow, error) {
	return failing(f.outage, "Flow", cache.ErrUnavailable, func() (cache.Flow, error) { return f.Store.Flow(ctx, key) })
}

func (f failingCache) ReopenFlow(ctx context.Context, key string, mark []byte) error {
	_, err := failing(f.outage, "ReopenFlow", cache.ErrUnavailable, func() (any, error) { return nil, f.Store.ReopenFlow(ctx, key, mark) })
	return err
}

func (o *outage) wrap(s tokenstore.Store, c cache.Store) (tokenstore.Store, cache.Store) {
	return failingStore{s, o}, failingCache{c, o}
}

// outages of the stores, by what fails at the redemption of a code.
func outages(redeem string) map[string]struct{ refused, lost map[string]int } {
	return map[string]struct{ refused, lost map[string]int }{
		"the store is down":                             {refused: map[string]int{"CreateSession": 1}},
		"the store is down for long":                    {refused: map[string]int{"CreateSession": 5}},
		"the store's answer is lost":                    {lost: map[string]int{"CreateSession": 1}},
		"the store's answer is lost again and again":    {lost: map[string]int{"CreateSession": 3}},
		"the store is down, then its answer is lost":    {refused: map[string]int{"CreateSession": 2}, lost: map[string]int{"CreateSession": 2}},
		"the cache is down":                             {refused: map[string]int{redeem: 1}},
		"the cache's answer is lost":                    {lost: map[string]int{redeem: 1}},
		"the cache's answer is lost, and the store's":   {lost: map[string]int{redeem: 1, "CreateSession": 1}},
		"the store is down, and then the cache as well": {refused: map[string]int{"CreateSession": 1, "ReopenFlow": 1}},
		"the code is given back, and nobody hears of it": {
			lost: map[string]int{"CreateSession": 1, "ReopenFlow": 1},
		},
	}
}

// redemptionsOf counts how often somebody is told to try again until there is
// another answer.
func redemptionsOf(t *testing.T, ask func() answer) (last answer, again int) {
	t.Helper()
	for ; again < 10; again++ {
		if last = ask(); last.status != http.StatusServiceUnavailable {
			break
		}
		if last.text("error") != "temporarily_unavailable" || last.header.Get("Retry-After") == "" {
			t.Errorf("%v, Retry-After %q", last.body, last.header.Get("Retry-After"))
		}
	}
	return last, again
}

// TestOutage_ConsumesNoAuthorizationCode: whoever is told to try again can. The
// session that an attempt stored whose answer was lost is the one that the retry
// gets, and a replay ends it as ever (RFC 6749, section 4.1.2).
func TestOutage_ConsumesNoAuthorizationCode(t *testing.T) {
	for name, test := range outages("RedeemFlow") {
		t.Run(name, func(t *testing.T) {
			o := &outage{}
			w := newWorld(t, worldOptions{portal: true, clients: oauthClients(), wrap: o.wrap})
			web := app{t, w, "web", "web-secret-of-enough-length"}
			code := w.code(w.signedInBrowser(), authorizeParams("web", "https://web.test/cb", "openid offline_access"))
			o.set(test.refused, test.lost)
			got, again := redemptionsOf(t, func() answer { return web.post("token", redeem(code)) })
			if got.status != 200 || again == 0 {
				t.Fatalf("after %d retries: %d %v", again, got.status, got.body)
			}
			active := func() bool {
				return web.post("introspect", url.Values{"token": {got.text("access_token")}}).body["active"] == true
			}
			refreshed := web.post("token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {got.text("refresh_token")}})
			if !active() || refreshed.status != 200 {
				t.Errorf("the tokens are not good: %v", refreshed.body)
			}
			wantEndedByReplay(t, name, func() answer { return web.post("token", redeem(code)) }, active)
			if n := w.sessionsOf("web"); n != 0 {
				t.Errorf("%d sessions are left", n)
			}
		})
	}
}

// sessionsOf counts a client's live sessions.
func (w *world) sessionsOf(client string) int {
	w.t.Helper()
	rows, err := w.store.ListSessions(w.t.Context(), tokenstore.SessionQuery{All: true, ClientID: client})
	if err != nil {
		w.t.Fatal(err)
	}
	n := 0
	for _, row := range rows {
		if row.Err() == nil {
			n++
		}
	}
	return n
}

func TestOutage_ConsumesNoDeviceCode(t *testing.T) {
	for name, test := range outages("PollFlow") {
		t.Run(name, func(t *testing.T) {
			o := &outage{}
			w := newWorld(t, worldOptions{portal: true, clients: oauthClients(), wrap: o.wrap})
			cli := app{t, w, "cli", ""}
			started := cli.device()
			b := newBrowser(t)
			b.get(started.text("verification_uri_complete")).signIn("alice", "wonderland")
			b.submit(url.Values{"decision": {"approve"}}).want(200, "")
			o.set(test.refused, test.lost)
			got, again := redemptionsOf(t, func() answer { return cli.poll(started) })
			if got.status != 200 || again == 0 {
				t.Fatalf("after %d retries: %d %v", again, got.status, got.body)
			}
			refreshed := cli.post("token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {got.text("refresh_token")}})
			if refreshed.status != 200 {
				t.Errorf("the refresh token is not good: %v", refreshed.body)
			}
			if again := cli.poll(started); again.text("error") != "invalid_grant" {
				t.Errorf("a poll after the delivery: %v", again.body)
			}
			if n := w.sessionsOf("cli"); n != 1 {
				t.Errorf("%d sessions are there", n)
			}
		})
	}
}

// TestOutage_ConsumesNoHandover: the page that says so can be reloaded, and its
// button leads on to the page that was wanted.
func TestOutage_ConsumesNoHandover(t *testing.T) {
	for name, test := range outages("RedeemFlow") {
		for _, way := range []string{"reload", "button"} {
			t.Run(name+", "+way, func(t *testing.T) {
				o := &outage{}
				w := newWorld(t, worldOptions{portal: true, wrap: o.wrap})
				b := newBrowser(t)
				b.get(w.siteURL("app") + "/reports?year=2026")
				o.set(test.refused, test.lost)
				b.signIn("alice", "wonderland")
				tries := 0
				for ; b.last.StatusCode == http.StatusServiceUnavailable && tries < 10; tries++ {
					b.want(http.StatusServiceUnavailable, "Nothing is lost")
					if strings.Contains(strings.ToLower(b.body), "cookie") {
						t.Errorf("the page blames cookies:\n%s", b.body)
					}
					if way == "reload" {
						b.get(b.last.Request.URL.String())
					} else {
						b.follow("Try again")
					}
				}
				if tries == 0 {
					t.Error("there was no outage")
				}
				b.want(200, "hello alice at /reports?year=2026")
				b.get(w.siteURL("app")+"/more").want(200, "hello alice at /more")
				if n := w.sessionsOf(strings.TrimPrefix(w.siteURL("app"), "http://")); n > 1 {
					t.Errorf("%d sessions are there", n)
				}
			})
		}
	}
}

// TestOutage_LosesNoSignInAtAProvider: the provider's code is spent, and what the
// provider said of the person is kept for the browser that comes back.
func TestOutage_LosesNoSignInAtAProvider(t *testing.T) {
	for name, test := range map[string]struct{ refused, lost map[string]int }{
		"the store is down":                     {refused: map[string]int{"SignIn": 1}},
		"the store is down for long":            {refused: map[string]int{"SignIn": 4}},
		"the store's answer is lost":            {lost: map[string]int{"SignIn": 1}},
		"the store's answer is lost repeatedly": {lost: map[string]int{"SignIn": 3}},
		"the cache is down":                     {refused: map[string]int{"Flow": 1}},
	} {
		for _, portal := range []bool{true, false} {
			for _, way := range []string{"reload", "button"} {
				t.Run(name+", "+way+", "+map[bool]string{true: "portal", false: "a site"}[portal], func(t *testing.T) {
					o := &outage{}
					_, rp := twoWorldsWith(t, worldOptions{portal: portal, wrap: o.wrap})
					b := newBrowser(t)
					b.get(rp.siteURL("app")+"/reports?year=2026").want(200, "password")
					o.set(test.refused, test.lost)
					b.signIn("alice", "wonderland")
					tries := 0
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
					if tries == 0 {
						t.Error("there was no outage")
					}
					b.want(200, "hello alice@example.com at /reports?year=2026")
					b.get(rp.siteURL("app")+"/more").want(200, "hello alice@example.com at /more")
					want := 1
					if portal {
						want = 2 // the portal's, and the site's
					}
					if n := rp.sessionsOf(""); n != want {
						t.Errorf("%d sessions are there, want %d", n, want)
					}
				})
			}
		}
	}
}

// TestOutage_OfTheCacheAtTheEndOfASignIn: the session is stored, and nothing
// depends on what is noted of it.
func TestOutage_OfTheCacheAtTheEndOfASignIn(t *testing.T) {
	o := &outage{}
	_, rp := twoWorldsWith(t, worldOptions{wrap: o.wrap})
	b := newBrowser(t)
	b.get(rp.siteURL("app") + "/reports")
	o.set(map[string]int{"AdvanceFlow": 1}, nil)
	b.signIn("alice", "wonderland").want(200, "hello alice@example.com at /reports")
}

// TestCode_OfTwoAtOnceOneWins: two right redemptions that come at the same moment
// have one winner, whose tokens are good. Nobody is taken for a thief.
func TestCode_OfTwoAtOnceOneWins(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	web := app{t, w, "web", "web-secret-of-enough-length"}
	b := w.signedInBrowser()
	for range 20 {
		code := w.code(b, authorizeParams("web", "https://web.test/cb", "openid"))
		answers := make([]answer, 2)
		var all sync.WaitGroup
		begin := make(chan struct{})
		for i := range answers {
			all.Go(func() {
				<-begin
				answers[i] = web.post("token", redeem(code))
			})
		}
		close(begin)
		all.Wait()
		won := 0
		for _, got := range answers {
			switch {
			case got.status == 200:
				won++
			case got.text("error") != "invalid_grant":
				t.Errorf("the loser: %d %v", got.status, got.body)
			}
		}
		if won != 1 {
			t.Errorf("%d have won", won)
		}
	}
}

// heldStore holds the creation of sessions until it is told to go on.
type heldStore struct {
	tokenstore.Store
	entered, proceed chan struct{}
}

func (s heldStore) CreateSession(ctx context.Context, n tokenstore.NewSession) (tokenstore.Session, error) {
	if n.ClientID == "web" {
		s.entered <- struct{}{}
		<-s.proceed
	}
	return s.Store.CreateSession(ctx, n)
}

// TestCode_TheWinnerOfTwoKeepsItsTokens: the second comes while the first is being
// stored, whichever of the two the store takes.
func TestCode_TheWinnerOfTwoKeepsItsTokens(t *testing.T) {
	slow := heldStore{entered: make(chan struct{}, 2), proceed: make(chan struct{})}
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients(), wrap: func(s tokenstore.Store, c cache.Store) (tokenstore.Store, cache.Store) {
		slow.Store = s
		return slow, c
	}})
	web := app{t, w, "web", "web-secret-of-enough-length"}
	code := w.code(w.signedInBrowser(), authorizeParams("web", "https://web.test/cb", "openid"))
	answers := make(chan answer, 2)
	for range 2 {
		go func() { answers <- web.post("token", redeem(code)) }()
		<-slow.entered
	}
	slow.proceed <- struct{}{}
	first := <-answers
	slow.proceed <- struct{}{}
	second := <-answers
	if first.status != 200 || second.text("error") != "invalid_grant" {
		t.Fatalf("%d %v, %d %v", first.status, first.body, second.status, second.body)
	}
	active := func() bool {
		return web.post("introspect", url.Values{"token": {first.text("access_token")}}).body["active"] == true
	}
	if !active() {
		t.Error("the loser ended the winner's session")
	}
	wantEndedByReplay(t, "later", func() answer {
		go func() { <-slow.entered; slow.proceed <- struct{}{} }()
		return web.post("token", redeem(code))
	}, active)
}

// heldCache holds the next redemption.
type heldCache struct {
	cache.Store
	hold             atomic.Bool
	entered, proceed chan struct{}
}

func (c *heldCache) RedeemFlow(ctx context.Context, key string, proof []byte, owner string) (cache.Flow, error) {
	if c.hold.CompareAndSwap(true, false) {
		c.entered <- struct{}{}
		<-c.proceed
	}
	return c.Store.RedeemFlow(ctx, key, proof, owner)
}

// TestCode_AThiefIsNotHiddenByACrowd: whoever has stolen a code and was first cannot
// keep the rightful redemption from being noticed by others that are in vain.
func TestCode_AThiefIsNotHiddenByACrowd(t *testing.T) {
	held := &heldCache{entered: make(chan struct{}), proceed: make(chan struct{})}
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients(), wrap: func(s tokenstore.Store, c cache.Store) (tokenstore.Store, cache.Store) {
		held.Store = c
		return s, held
	}})
	web := app{t, w, "web", "web-secret-of-enough-length"}
	b := w.signedInBrowser()
	for name, vain := range map[string]url.Values{
		"with another verifier": {"code_verifier": {strings.Repeat("x", 43)}}, "with everything right": nil,
	} {
		code := w.code(b, authorizeParams("web", "https://web.test/cb", "openid"))
		held.hold.Store(true)
		done := make(chan answer)
		go func() { done <- web.post("token", with(redeem(code), func(form url.Values) { maps.Copy(form, vain) })) }()
		<-held.entered
		stolen := web.post("token", redeem(code))
		if stolen.status != 200 {
			t.Fatalf("%s: %v", name, stolen.body)
		}
		if name == "with everything right" { // it has met the winner, and the next has not
			held.proceed <- struct{}{}
			<-done
			held.hold.Store(true)
			go func() { done <- web.post("token", redeem(code)) }()
			<-held.entered
		}
		wantEndedByReplay(t, name, func() answer { return web.post("token", redeem(code)) }, func() bool {
			return web.post("introspect", url.Values{"token": {stolen.text("access_token")}}).body["active"] == true
		})
		held.proceed <- struct{}{}
		<-done
	}
}

// TestCode_ACacheThatFellBackRedeemsNothingTwice: the store knows the session,
// whatever the cache has forgotten and was told of attempts that failed.
func TestCode_ACacheThatFellBackRedeemsNothingTwice(t *testing.T) {
	o := &outage{}
	fallen := &fallingCache{}
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients(), wrap: func(s tokenstore.Store, c cache.Store) (tokenstore.Store, cache.Store) {
		fallen.Store = c
		return o.wrap(s, fallen)
	}})
	web := app{t, w, "web", "web-secret-of-enough-length"}
	b := w.signedInBrowser()
	for name, lost := range map[string]int{"at once": 0, "after a lost answer": 1, "after two": 2} {
		code := w.code(b, authorizeParams("web", "https://web.test/cb", "openid"))
		o.set(nil, map[string]int{"CreateSession": lost})
		fallen.remember = true
		got, _ := redemptionsOf(t, func() answer { return web.post("token", redeem(code)) })
		if got.status != 200 {
			t.Fatalf("%s: %v", name, got.body)
		}
		fallen.remember = false
		for i := len(fallen.answers) - 1; i >= 0; i-- {
			fallen.next = &fallen.answers[i]
			if again := web.post("token", redeem(code)); again.text("error") != "invalid_grant" {
				t.Errorf("%s: the cache fell back to redemption %d, and the code was good again: %v", name, i, again.body)
			}
		}
		fallen.answers, fallen.next = nil, nil
		if n := w.sessionsOf("web"); n != 0 {
			t.Errorf("%s: %d sessions are left", name, n)
		}
	}
}

// fallingCache answers a redemption as it did once before.
type fallingCache struct {
	cache.Store
	remember bool
	answers  []cache.Flow
	next     *cache.Flow
}

func (f *fallingCache) RedeemFlow(ctx context.Context, key string, proof []byte, owner string) (cache.Flow, error) {
	if f.next != nil {
		return *f.next, nil
	}
	flow, err := f.Store.RedeemFlow(ctx, key, proof, owner)
	if f.remember && err == nil {
		f.answers = append(f.answers, flow)
	}
	return flow, err
}
