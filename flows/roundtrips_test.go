package flows_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// trips counts calls to the stores. Each method is one round trip; that this is
// so is counted on the wire with the drivers. A method that is not counted here
// ends in a nil interface, so that a new one cannot slip in.
type trips struct{ store, cache atomic.Int32 }

type countedStore struct {
	tokenstore.Store // nil
	real             tokenstore.Store
	n                *atomic.Int32
}

func (c countedStore) SignIn(ctx context.Context, s tokenstore.SignIn) (tokenstore.Session, error) {
	c.n.Add(1)
	return c.real.SignIn(ctx, s)
}

func (c countedStore) CreateSession(ctx context.Context, n tokenstore.NewSession) (tokenstore.Session, error) {
	c.n.Add(1)
	return c.real.CreateSession(ctx, n)
}

func (c countedStore) Session(ctx context.Context, id uuid.UUID) (tokenstore.Session, error) {
	c.n.Add(1)
	return c.real.Session(ctx, id)
}

func (c countedStore) Rotate(ctx context.Context, r tokenstore.Rotation) (tokenstore.RotationResult, error) {
	c.n.Add(1)
	return c.real.Rotate(ctx, r)
}

func (c countedStore) UnrotateSession(ctx context.Context, id uuid.UUID, generation uint32, at time.Time) error {
	c.n.Add(1)
	return c.real.UnrotateSession(ctx, id, generation, at)
}

func (c countedStore) Revalidate(ctx context.Context, ids, touch []uuid.UUID) ([]tokenstore.SessionState, time.Time, error) {
	return c.real.Revalidate(ctx, ids, touch) // in the background
}

type countedCache struct {
	cache.Store // nil
	real        cache.Store
	n           *atomic.Int32
}

func (c countedCache) StartFlow(ctx context.Context, f cache.NewFlow) error {
	c.n.Add(1)
	return c.real.StartFlow(ctx, f)
}

func (c countedCache) Flow(ctx context.Context, key string) (cache.Flow, error) {
	c.n.Add(1)
	return c.real.Flow(ctx, key)
}

func (c countedCache) AdvanceFlow(ctx context.Context, t cache.Transition) (cache.Flow, error) {
	c.n.Add(1)
	return c.real.AdvanceFlow(ctx, t)
}

func (c countedCache) RedeemFlow(ctx context.Context, key string, proof []byte, owner string) (cache.Flow, error) {
	c.n.Add(1)
	return c.real.RedeemFlow(ctx, key, proof, owner)
}

func (c countedCache) PollFlow(ctx context.Context, key string, proof []byte, owner string) (cache.Flow, error) {
	c.n.Add(1)
	return c.real.PollFlow(ctx, key, proof, owner)
}

func (c countedCache) ReopenFlow(ctx context.Context, key string, mark []byte) error {
	c.n.Add(1)
	return c.real.ReopenFlow(ctx, key, mark)
}

func (c countedCache) SetAlias(ctx context.Context, alias, target string, validity time.Duration) error {
	c.n.Add(1)
	return c.real.SetAlias(ctx, alias, target, validity)
}

func (c countedCache) Alias(ctx context.Context, alias string) (string, error) {
	c.n.Add(1)
	return c.real.Alias(ctx, alias)
}

func (c countedCache) Peek(ctx context.Context, counts ...cache.Count) ([]cache.Throttle, error) {
	c.n.Add(1)
	return c.real.Peek(ctx, counts...)
}

func (c countedCache) Once(ctx context.Context, key string, ttl time.Duration) (bool, error) {
	c.n.Add(1)
	return c.real.Once(ctx, key, ttl)
}

func (c countedCache) Subscribe(ctx context.Context, receive func(cache.Announcement), gap func()) error {
	return c.real.Subscribe(ctx, receive, gap)
}

func (c countedCache) RecentRevocations(ctx context.Context) ([]uuid.UUID, error) {
	return c.real.RecentRevocations(ctx)
}

// counted is a world whose round trips are counted.
func counted(t *testing.T, o worldOptions) (*world, *trips) {
	t.Helper()
	n := new(trips)
	o.wrap = func(s tokenstore.Store, c cache.Store) (tokenstore.Store, cache.Store) {
		return countedStore{real: s, n: &n.store}, countedCache{real: c, n: &n.cache}
	}
	return newWorld(t, o), n
}

// want runs something and compares its round trips with DESIGN's table.
func (n *trips) want(t *testing.T, what string, store, cache int32, do func()) {
	t.Helper()
	n.store.Store(0)
	n.cache.Store(0)
	do()
	if s, c := n.store.Load(), n.cache.Load(); s != store || c != cache {
		t.Errorf("%s: %d to the token store and %d to the cache, want %d and %d", what, s, c, store, cache)
	}
}

func TestRoundTrips_Sites(t *testing.T) {
	w, n := counted(t, worldOptions{portal: true})
	b := newBrowser(t)
	held := b.held()
	next := w.siteURL("one") + "/page"
	step := func() {
		held.get(next)
		if to := held.last.Header.Get("Location"); to != "" {
			u, _ := held.last.Request.URL.Parse(to)
			next = u.String()
		}
	}
	n.want(t, "a stranger is sent to sign in", 0, 0, step)
	n.want(t, "the site sends to the portal", 0, 0, step)
	n.want(t, "the portal shows its page", 0, 0, step)
	n.want(t, "a password is checked, a sign-in and a code are made", 1, 2, func() {
		held.signIn("alice", "wonderland")
		next = held.last.Header.Get("Location")
	})
	n.want(t, "the hand-over", 1, 1, step)
	next = w.siteURL("one") + "/page"
	n.want(t, "a warm guarded request", 0, 0, func() { step(); held.want(200, "hello alice") })
	next = w.siteURL("two") + "/page"
	n.want(t, "a second site, until its code", 0, 1, func() { step(); step(); step() })
	n.want(t, "the second hand-over", 1, 1, step)
}

func TestRoundTrips_AuthorizationServer(t *testing.T) {
	w, n := counted(t, worldOptions{portal: true, clients: oauthClients()})
	web := app{t, w, "web", "web-secret-of-enough-length"}
	b := w.signedInBrowser()
	params := authorizeParams("web", "https://web.test/cb", "openid offline_access")
	var code string
	n.want(t, "a code for somebody who is signed in", 0, 1, func() { code = w.code(b, params) })
	var got answer
	n.want(t, "code redemption", 1, 1, func() { got = web.post("token", redeem(code)) })
	refresh := got.text("refresh_token")
	n.want(t, "refresh", 1, 0, func() {
		got = web.post("token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}})
	})
	access := got.text("access_token")
	n.want(t, "a refresh that is refused", 2, 0, func() {
		web.post("token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {got.text("refresh_token")}, "scope": {"groups"}})
	})
	n.want(t, "garbage for a refresh token", 0, 0, func() {
		web.post("token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh[:40]}})
	})
	n.want(t, "introspection of an access token, warm", 0, 0, func() { web.post("introspect", url.Values{"token": {access}}) })
	n.want(t, "introspection of a refresh token", 1, 0, func() {
		web.post("introspect", url.Values{"token": {got.text("refresh_token")}})
	})
	n.want(t, "userinfo, warm", 0, 0, func() {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, w.portalURL()+"/userinfo", strings.NewReader(""))
		req.Header.Set("Authorization", "Bearer "+access)
		newBrowser(t).do(req).want(200, "sub")
	})
	for _, path := range []string{"/jwks.json", "/.well-known/openid-configuration"} {
		n.want(t, path, 0, 0, func() { newBrowser(t).get(w.portalURL() + path) })
	}
	n.want(t, "a pushed request", 0, 1, func() { web.post("par", params) })
}

func TestRoundTrips_Device(t *testing.T) {
	w, n := counted(t, worldOptions{portal: true, clients: oauthClients()})
	cli := app{t, w, "cli", ""}
	var started answer
	n.want(t, "start of a device flow and its user code", 0, 2, func() { started = cli.device() })
	n.want(t, "a poll", 0, 1, func() { cli.poll(started) })
	b := newBrowser(t)
	b.get(started.text("verification_uri_complete")).signIn("alice", "wonderland")
	b.submit(url.Values{"decision": {"approve"}})
	w.clock.advance(6 * time.Second)
	n.want(t, "the delivering poll", 1, 1, func() {
		if got := cli.poll(started); got.status != 200 {
			t.Errorf("%v", got.body)
		}
	})
}

func TestRoundTrips_Provider(t *testing.T) {
	n := new(trips)
	_, rp := twoWorldsWith(t, worldOptions{wrap: func(s tokenstore.Store, c cache.Store) (tokenstore.Store, cache.Store) {
		return countedStore{real: s, n: &n.store}, countedCache{real: c, n: &n.cache}
	}})
	b := newBrowser(t)
	held := b.held()
	n.want(t, "a sign-in is begun", 0, 1, func() {
		held.get(rp.siteURL("app") + "/.gatehouse/login?return_to=/x")
	})
	callback := stopAtCallback(t, b, rp)
	n.want(t, "the callback", 1, 2, func() { held.get(callback) })
	if held.last.StatusCode != 303 {
		t.Fatalf("%d %s", held.last.StatusCode, held.body)
	}
}
