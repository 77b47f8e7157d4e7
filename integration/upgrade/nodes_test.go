package upgrade_test

import (
	"context"
	"net/http"
	"net/url"
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

// startBoth starts the old gateway, which makes the database, and beside it
// today's, on one Postgres and one Redis.
func startBoth(t *testing.T) (w *world, older, newer *gateway.Node) {
	t.Helper()
	w = newWorld(t, "postgres {env.DATABASE_URL}", "redis {env.REDIS_URL}",
		"DATABASE_URL="+postgrestest.URL(t), "REDIS_URL="+redistest.URL(t))
	older = w.start(t, gateway.BinaryOf(t, before))
	newer = w.start(t, "")
	for _, n := range []*gateway.Node{older, newer} {
		await(t, "the signing keys", func() bool { return len(keysOf(t, newProgram(t, n)).Keys) > 0 })
	}
	return w, older, newer
}

// TestNodes_OldAndNewBesideEachOther: in a rolling change a load balancer sends
// every request to either of them.
func TestNodes_OldAndNewBesideEachOther(t *testing.T) {
	w, older, newer := startBoth(t)
	for name, way := range map[string][2]*gateway.Node{"old to new": {older, newer}, "new to old": {newer, older}} {
		from, to := way[0], way[1]
		t.Run(name, func(t *testing.T) {
			t.Run("password", func(t *testing.T) { checkPassword(t, from, to) })
			t.Run("hand-over", func(t *testing.T) { checkHandOver(t, from, to) })
			t.Run("provider", func(t *testing.T) { checkProvider(t, w, from, to) })
			t.Run("code and refresh token", func(t *testing.T) { checkPrograms(t, from, to) })
			t.Run("device", func(t *testing.T) { checkDevice(t, from, to) })
			t.Run("sign-out", func(t *testing.T) { checkSignOut(t, from, to) })
		})
	}
	t.Run("reload of both", func(t *testing.T) {
		b := newBrowser(t, older)
		signIn(t, b, app+"/", "alice", alicePassword)
		for _, n := range []*gateway.Node{older, newer, older} {
			if err := n.Reload(t, caddyfile(t, "portal.Caddyfile")); err != nil {
				t.Fatal(err)
			}
			for _, at := range []*gateway.Node{older, newer} {
				b.Via(to(at))
				await(t, "the session after a reload", func() bool { return isIn(b, app) })
			}
		}
	})
}

// checkPassword: the sign-in page of one is answered to the other, and its
// session known to both.
func checkPassword(t *testing.T, from, next *gateway.Node) {
	b := newBrowser(t, from)
	page := b.Open(app + "/reports?year=2026")
	b.Via(to(next))
	page = login(t, b, page, "alice", alicePassword)
	if got := page.URL.String(); page.Status != http.StatusOK || got != app+"/reports?year=2026" {
		t.Errorf("landed on %s with %d:\n%s%s", got, page.Status, page.Path(), page.Text())
	}
	b.Via(to(from))
	if !isIn(b, app) {
		t.Error("the node where it began does not know the session")
	}
	if page := b.Open(staff + "/"); page.Status != http.StatusOK || page.URL.Host != host(staff) {
		t.Errorf("the node where it began does not know the portal's session:\n%s", page.Path())
	}
}

// checkHandOver: the portal on one node hands over to a site on the other.
func checkHandOver(t *testing.T, from, next *gateway.Node) {
	b := newBrowser(t, from)
	b.StopAt("/.gatehouse/callback")
	page := login(t, b, b.Open(app+"/reports"), "alice", alicePassword)
	callback := page.Next()
	if callback == nil {
		t.Fatalf("the portal hands nobody over:\n%s%s", page.Path(), page.Text())
	}
	b.StopAt("")
	b.Via(to(next))
	page = b.Open(callback.String())
	if got := page.URL.String(); page.Status != http.StatusOK || got != app+"/reports" {
		t.Errorf("landed on %s with %d:\n%s%s", got, page.Status, page.Path(), page.Text())
	}
}

// checkProvider: a sign-in at the provider comes back to the other node, and the
// token that was kept by that is refreshed by the first.
func checkProvider(t *testing.T, w *world, from, next *gateway.Node) {
	w.sso.TokensLive(4 * time.Second)
	b := newBrowser(t, from)
	page := chooseSSO(t, b)
	b.StopAt("/callback/sso")
	page = login(t, b, page, "alice", openid.Password)
	callback := page.Next()
	if callback == nil {
		t.Fatalf("the provider sends the browser nowhere:\n%s%s", page.Path(), page.Text())
	}
	b.StopAt("")
	b.Via(to(next))
	wantOK(t, b.Open(callback.String()))
	passed := func() string { return w.app.Last(t).Header.Get("Authorization") }
	last := func() string {
		issued := w.sso.Issued()
		return "Bearer " + issued[len(issued)-1].Access
	}
	if passed() != last() {
		t.Error("the upstream did not get the provider's token")
	}
	// By turns until either node has refreshed a token that the other kept.
	seen := map[string]bool{passed(): true}
	for _, n := range []*gateway.Node{from, next} {
		b.Via(to(n))
		await(t, "a fresh token", func() bool {
			wantOK(t, b.Open(mail+"/"))
			fresh := !seen[passed()]
			seen[passed()] = true
			return fresh
		})
	}
}

// checkPrograms: a code of one node is redeemed at the other; refresh tokens are
// used at either by turns; what one issued opens a site at the other; consent is
// asked once.
func checkPrograms(t *testing.T, from, next *gateway.Node) {
	p, q := newProgram(t, from), newProgram(t, next)
	b := newBrowser(t, from)
	signIn(t, b, app+"/", "alice", alicePassword)
	code, _ := codeForWiki(t, b, "openid profile offline_access")
	got := q.redeem(code)
	if got.status != http.StatusOK {
		t.Fatalf("redeeming answers %d %s", got.status, got.Error)
	}
	first := got.Refresh
	for range 3 {
		for _, at := range []program{p, q} {
			fresh := at.refresh("wiki", wikiSecret, got.Refresh)
			if fresh.status != http.StatusOK || fresh.Refresh == got.Refresh {
				t.Fatalf("refreshing answers %d %s", fresh.status, fresh.Error)
			}
			// A retry at the other node, whose answer was lost, gets the same.
			for _, again := range []program{p, q} {
				if a := again.refresh("wiki", wikiSecret, got.Refresh); a.Refresh != fresh.Refresh {
					t.Fatalf("a retry answers %d %s, or has another successor", a.status, a.Error)
				}
			}
			got = fresh
			for _, site := range []program{p, q} {
				if !site.opens(got.Access) {
					t.Fatal("a site does not take the access token of the other node")
				}
				if a := site.post("introspect", "api", apiSecret, url.Values{"token": {got.Access}}); !a.Active {
					t.Fatal("an access token of the other node is not active")
				}
			}
		}
	}
	b.Via(to(next))
	if code, asked := codeForWiki(t, b, "openid profile offline_access"); asked || p.redeem(code).status != http.StatusOK {
		t.Error("asked again for what was allowed at the other node, or the code is not taken there")
	}
	if a := p.refresh("wiki", wikiSecret, first); a.Error != "invalid_grant" {
		t.Errorf("reuse answers %d %s", a.status, a.Error)
	}
	if a := q.refresh("wiki", wikiSecret, got.Refresh); a.Error != "invalid_grant" {
		t.Errorf("the other node does not know of the reuse: %d %s", a.status, a.Error)
	}
	await(t, "the access token's refusal", func() bool { return !q.opens(got.Access) })
}

// checkDevice: a flow that begins on one node is approved on the other, and
// delivered by the first.
func checkDevice(t *testing.T, from, next *gateway.Node) {
	p, q := newProgram(t, from), newProgram(t, next)
	b := newBrowser(t, next)
	signIn(t, b, app+"/", "alice", alicePassword)
	flow := p.startDevice()
	approve(t, b, flow)
	got := p.awaitDevice(flow)
	if got.status != http.StatusOK {
		t.Fatalf("the device gets %d %s", got.status, got.Error)
	}
	if a := q.refresh("cli", "", got.Refresh); a.status != http.StatusOK {
		t.Errorf("refreshing answers %d %s", a.status, a.Error)
	}
	again := q.post("token", "cli", "", url.Values{"grant_type": {grantDevice}, "device_code": {flow.DeviceCode}})
	if again.status == http.StatusOK || again.Refresh != "" {
		t.Error("the other node delivers a second time")
	}
}

// checkSignOut: a sign-out at one node is known to the other within a second.
func checkSignOut(t *testing.T, from, next *gateway.Node) {
	b := newBrowser(t, from)
	signIn(t, b, app+"/", "alice", alicePassword)
	elsewhere := sameBrowser(t, b, next)
	if !isIn(elsewhere, app) {
		t.Fatal("the other node does not know the session")
	}
	// Counted is only the time in which this machine had a turn for us.
	var pulse crash.Pulse
	ctx, stop := context.WithCancel(t.Context())
	var beating sync.WaitGroup
	beating.Go(func() { pulse.Run(ctx) })
	signOut(t, b, app)
	begin := time.Now()
	await(t, "the refusal on the other node", func() bool { return !isIn(elsewhere, app) })
	stop()
	beating.Wait()
	if took := pulse.Ran(begin, time.Now()); took > time.Second {
		t.Errorf("the other node refused after %v", took)
	}
}

// sameBrowser has the same cookies, and goes to another node.
func sameBrowser(t *testing.T, b *browser.Browser, n *gateway.Node) *browser.Browser {
	t.Helper()
	other := newBrowser(t, n)
	for _, origin := range []string{portal, app} {
		for _, cookie := range b.Cookies(origin + "/") {
			other.SetCookie(origin+"/", cookie)
		}
	}
	return other
}

// TestNodes_TheOldOneGoesOnAlone: the new node is taken back after it has written
// everything that it writes.
func TestNodes_TheOldOneGoesOnAlone(t *testing.T) {
	w, older, newer := startBoth(t)
	older.Stop(t)
	p := newProgram(t, newer)
	alice := newBrowser(t, newer)
	signIn(t, alice, app+"/", "alice", alicePassword)
	code, _ := codeForWiki(t, alice, "openid profile offline_access")
	wiki := p.redeem(code)
	flow := p.startDevice()
	approve(t, alice, flow)
	device := p.awaitDevice(flow)
	guest := newBrowser(t, newer)
	signInForMail(t, guest, "bob")
	bob := newBrowser(t, newer)
	signIn(t, bob, app+"/", "bob", bobPassword)
	left := sameBrowser(t, bob, older)
	signOut(t, bob, app)
	pending, waiting := newBrowser(t, newer), p.startDevice()
	begun := pending.Open(app + "/reports")
	newer.Stop(t)

	older.Restart(t)
	p = newProgram(t, older)
	await(t, "the signing keys", func() bool { return len(keysOf(t, p).Keys) > 0 })
	for _, b := range []*browser.Browser{alice, guest, pending} {
		b.Via(to(older))
	}
	if !isIn(alice, app) {
		t.Error("alice is signed out")
	}
	if page := alice.Open(staff + "/"); page.Status != http.StatusOK || page.URL.Host != host(staff) {
		t.Errorf("alice is signed out at the portal:\n%s", page.Path())
	}
	if isIn(left, app) {
		t.Error("bob, who has signed out, is let in")
	}
	wantOK(t, guest.Open(mail+"/"))
	if got := w.app.Last(t).Header.Get("Authorization"); got != "Bearer "+w.sso.Issued()[len(w.sso.Issued())-1].Access {
		t.Error("the upstream does not get the provider's token")
	}
	if a := p.refresh("wiki", wikiSecret, wiki.Refresh); a.status != http.StatusOK {
		t.Errorf("the wiki's refresh token answers %d %s", a.status, a.Error)
	}
	if a := p.refresh("cli", "", device.Refresh); a.status != http.StatusOK {
		t.Errorf("the device's refresh token answers %d %s", a.status, a.Error)
	}
	if !p.opens(wiki.Access) {
		t.Error("the site does not take the new node's access token")
	}
	if _, asked := codeForWiki(t, alice, "openid profile offline_access"); asked {
		t.Error("alice is asked again for what she allowed")
	}
	// What was under way.
	page := login(t, pending, begun, "bob", bobPassword)
	if page.Status != http.StatusOK || page.URL.String() != app+"/reports" {
		t.Errorf("a sign-in that had begun lands on %s with %d:\n%s", page.URL, page.Status, page.Path())
	}
	approve(t, alice, waiting)
	if a := p.awaitDevice(waiting); a.status != http.StatusOK {
		t.Errorf("a device flow that had begun ends in %d %s", a.status, a.Error)
	}
}
