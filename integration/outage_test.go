package integration_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache/redis/redistest"
	"github.com/gatehouse-auth/gatehouse/integration/browser"
	"github.com/gatehouse-auth/gatehouse/integration/faultproxy"
	"github.com/gatehouse-auth/gatehouse/integration/gateway"
	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres/postgrestest"
)

// throughProxy is a URL whose server is reached through a proxy.
func throughProxy(t testing.TB, address string) (string, *faultproxy.Proxy) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	p := faultproxy.Start(t, u.Host)
	u.Host = p.Addr()
	return u.String(), p
}

// outage is a gateway whose stores can be taken away.
type outage struct {
	node            *gateway.Node
	postgres, redis *faultproxy.Proxy
}

// startForOutage may start the gateway without its Postgres.
func startForOutage(t *testing.T, degraded bool) outage {
	t.Helper()
	database, postgresProxy := throughProxy(t, postgrestest.URL(t))
	redis, redisProxy := throughProxy(t, redistest.URL(t))
	o := outage{postgres: postgresProxy, redis: redisProxy}
	if degraded {
		o.postgres.Cut()
	}
	o.node = gateway.Start(t, gateway.Options{
		Degraded: degraded,
		Env:      sharedEnv(database, redis),
		Caddyfile: global(append([]string{localUsers(t)}, shared...)...) +
			guarded("http://app.localhost", upstreamAddr(t), "") +
			"http://open.localhost {\n\trespond open\n}\n",
	})
	return o
}

// wantUnavailable checks a 503 that logs nobody out.
func wantUnavailable(t testing.TB, page *browser.Page) {
	t.Helper()
	wantStatus(t, page, http.StatusServiceUnavailable)
	if page.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	for _, cookie := range page.Trail[len(page.Trail)-1].Cookies {
		if cookie.MaxAge < 0 {
			t.Errorf("the cookie %s was cleared", cookie.Name)
		}
	}
}

func TestPostgresDownAtStart_GuardsWaitOthersServeAndItRecovers(t *testing.T) {
	t.Parallel()
	o := startForOutage(t, true)
	b := newBrowser(t, o.node)
	stranger := newBrowser(t, o.node)
	forged := stranger.Send(http.MethodGet, "http://app.localhost/", "Accept: text/html")
	if forged.Status == http.StatusOK {
		t.Fatal("a guarded route was served while nobody can be known")
	}
	wantStatus(t, b.Open("http://open.localhost/"), http.StatusOK)

	o.postgres.Heal()
	await(t, time.Minute, "recovery", func() bool {
		fresh := newBrowser(t, o.node)
		page := fresh.Open("http://app.localhost/")
		return page.Status == http.StatusOK &&
			login(t, fresh, page, "alice", alicePassword).Status == http.StatusOK
	})
	o.node.Log.Await(t, 0, "guarded sites are served now", time.Minute)
}

// knownAndUnknown are two browsers that are signed in: after the end and the
// restart of the gateway it has seen the one again, and not the other.
func (o outage) knownAndUnknown(t *testing.T, end func(*gateway.Node)) (known, unknown *browser.Browser) {
	t.Helper()
	known, unknown = newBrowser(t, o.node), newBrowser(t, o.node)
	signIn(t, known, "http://app.localhost/", "alice", alicePassword)
	signIn(t, unknown, "http://app.localhost/", "bob", bobPassword)
	end(o.node)
	o.node.Restart(t)
	if !signedIn(t, known, "http://app.localhost/") {
		t.Fatal("signed out by a restart")
	}
	return known, unknown
}

func TestPostgresDown_KnownSessionsGoOnAndUnknownOnesWait(t *testing.T) {
	t.Parallel()
	o := startForOutage(t, false)
	known, unknown := o.knownAndUnknown(t, func(n *gateway.Node) { n.Kill(t) })

	o.postgres.Cut()
	for range 5 {
		if !signedIn(t, known, "http://app.localhost/") {
			t.Fatal("an outage of Postgres ended a known session")
		}
	}
	wantUnavailable(t, unknown.Step("http://app.localhost/"))
	o.postgres.Heal()
	await(t, 30*time.Second, "the other session", func() bool {
		return signedIn(t, unknown, "http://app.localhost/")
	})
}

func TestPostgresSilent_AnswersInBoundedTime(t *testing.T) {
	t.Parallel()
	o := startForOutage(t, false)
	known, unknown := o.knownAndUnknown(t, func(n *gateway.Node) { n.Stop(t) })

	o.postgres.Blackhole()
	start := time.Now()
	wantUnavailable(t, unknown.Step("http://app.localhost/"))
	waited := time.Since(start)
	if waited > 20*time.Second {
		t.Errorf("a silent Postgres held a request for %v", waited)
	}
	quickest := waited // of three, for the machine may stand still during one
	for range 3 {
		start = time.Now()
		if !signedIn(t, known, "http://app.localhost/") {
			t.Error("a silent Postgres ended a known session")
		}
		quickest = min(quickest, time.Since(start))
	}
	if quickest > waited/2 {
		t.Errorf("a known session waited %v for a silent Postgres, an unknown one %v", quickest, waited)
	}
}

func TestRedisDown_KnownSessionsGoOnAndSignInsWait(t *testing.T) {
	t.Parallel()
	o := startForOutage(t, false)
	b := newBrowser(t, o.node)
	signIn(t, b, "http://app.localhost/", "alice", alicePassword)
	fresh := newBrowser(t, o.node)
	page := fresh.Open("http://app.localhost/")
	o.redis.Cut()
	if !signedIn(t, b, "http://app.localhost/") {
		t.Error("an outage of Redis ended a session")
	}
	wantUnavailable(t, login(t, fresh, page, "bob", bobPassword))
	o.redis.Heal()
	await(t, 30*time.Second, "a sign-in", func() bool {
		return login(t, fresh, page, "bob", bobPassword).Status == http.StatusOK
	})
}
