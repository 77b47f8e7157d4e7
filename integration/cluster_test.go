package integration_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache/redis/redistest"
	"github.com/gatehouse-auth/gatehouse/integration/browser"
	"github.com/gatehouse-auth/gatehouse/integration/crash"
	"github.com/gatehouse-auth/gatehouse/integration/gateway"
	"github.com/gatehouse-auth/gatehouse/integration/openid"
	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres/postgrestest"
)

const clusterSite = "http://app.localhost"

// shared are the lines of a gatehouse whose nodes share everything.
var shared = []string{
	"token_store postgres {env.DATABASE_URL}",
	"cache redis {env.REDIS_URL}",
	"secret {env.GATEHOUSE_SECRET}",
}

// sharedEnv is the environment of every node of a cluster.
func sharedEnv(database, redis string) []string {
	return []string{
		"DATABASE_URL=" + database,
		"REDIS_URL=" + redis,
		"GATEHOUSE_SECRET=a secret of this cluster, long enough",
	}
}

// startCluster starts nodes of one configuration on one Postgres and one Redis.
func startCluster(t *testing.T, nodes int, lines ...string) []*gateway.Node {
	t.Helper()
	env := sharedEnv(postgrestest.URL(t), redistest.URL(t))
	caddyfile := global(append(lines, shared...)...) + guarded(clusterSite, upstreamAddr(t), "")
	cluster := make([]*gateway.Node, nodes)
	secrets := new(gateway.Secrets)
	for i := range cluster {
		cluster[i] = gateway.Start(t, gateway.Options{Caddyfile: caddyfile, Env: env, Secrets: secrets})
	}
	return cluster
}

func TestTwoNodes_ASessionOfOneIsHonouredByTheOther(t *testing.T) {
	t.Parallel()
	nodes := startCluster(t, 2, localUsers(t))
	b := newBrowser(t, nodes[0])
	signIn(t, b, clusterSite+"/", "alice", alicePassword)
	b.Via(nodes[1].Route)
	if !signedIn(t, b, clusterSite) {
		t.Error("the other node does not know the session")
	}
}

func TestTwoNodes_APasswordSignInMayBeginOnOneAndFinishOnTheOther(t *testing.T) {
	t.Parallel()
	nodes := startCluster(t, 2, localUsers(t))
	b := newBrowser(t, nodes[0])
	page := b.Open(clusterSite + "/reports?year=2026")
	b.Via(nodes[1].Route)
	page = login(t, b, page, "alice", alicePassword)
	if got := page.URL.RequestURI(); page.Status != http.StatusOK || got != "/reports?year=2026" {
		t.Errorf("landed on %s with %d:\n%s", got, page.Status, page.Path())
	}
}

func TestTwoNodes_AProviderSignInMayBeginOnOneAndFinishOnTheOther(t *testing.T) {
	t.Parallel()
	p := openid.Start(t, clusterSite+"/.gatehouse/callback/sso")
	nodes := startCluster(t, 2, ssoProvider(p))
	b := newBrowser(t, nodes[0])
	callback := stopAtCallback(t, b, clusterSite+"/reports?year=2026", "alice")
	b.StopAt("")
	b.Via(nodes[1].Route)
	page := b.Open(callback)
	if got := page.URL.RequestURI(); page.Status != http.StatusOK || got != "/reports?year=2026" {
		t.Errorf("landed on %s with %d:\n%s%s", got, page.Status, page.Path(), page.Text())
	}
}

func TestTwoNodes_SigningOutOnOneIsKnownToTheOtherWithinASecond(t *testing.T) {
	t.Parallel()
	nodes := startCluster(t, 2, localUsers(t))
	b := newBrowser(t, nodes[0])
	signIn(t, b, clusterSite+"/", "alice", alicePassword)
	elsewhere := copyOf(t, b, nodes[1])
	if !signedIn(t, elsewhere, clusterSite) {
		t.Fatal("the other node does not know the session")
	}
	var pulse crash.Pulse
	ctx, stop := context.WithCancel(t.Context())
	var beating sync.WaitGroup
	beating.Go(func() { pulse.Run(ctx) })
	signOut(t, b, clusterSite)
	begin := time.Now()
	await(t, 30*time.Second, "refusal on the other node", func() bool { // revalidation would take longer
		return !signedIn(t, elsewhere, clusterSite)
	})
	stop()
	beating.Wait()
	if took := pulse.Ran(begin, time.Now()); took > time.Second {
		t.Errorf("the other node refused after %v", took)
	}
}

func TestTwoNodes_TheCrashOfOneSignsNobodyOut(t *testing.T) {
	t.Parallel()
	nodes := startCluster(t, 2, localUsers(t))
	b := newBrowser(t, nodes[0])
	signIn(t, b, clusterSite+"/", "alice", alicePassword)
	nodes[0].Kill(t)
	b.Via(nodes[1].Route)
	if !signedIn(t, b, clusterSite) {
		t.Error("signed out by the crash of a node")
	}
}

// copyOf is another browser, that goes to another node, with the same cookies.
func copyOf(t *testing.T, b *browser.Browser, n *gateway.Node) *browser.Browser {
	t.Helper()
	other := newBrowser(t, n)
	for _, cookie := range b.Cookies(clusterSite) {
		other.SetCookie(clusterSite, cookie)
	}
	return other
}

func TestNodes_ThatStartTogetherMigrateOnce(t *testing.T) {
	t.Parallel()
	env := sharedEnv(postgrestest.URL(t), redistest.URL(t))
	caddyfile := global(append([]string{localUsers(t)}, shared...)...) + guarded(clusterSite, upstreamAddr(t), "")
	for i := range 3 {
		t.Run(fmt.Sprintf("node %d", i), func(t *testing.T) {
			t.Parallel()
			n := gateway.Start(t, gateway.Options{Caddyfile: caddyfile, Env: env})
			await(t, 30*time.Second, "a sign-in page", func() bool {
				return newBrowser(t, n).Open(clusterSite+"/").Status == http.StatusOK
			})
			signIn(t, newBrowser(t, n), clusterSite+"/", "alice", alicePassword)
		})
	}
}
