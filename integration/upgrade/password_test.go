package upgrade_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache/redis/redistest"
	"github.com/gatehouse-auth/gatehouse/integration/gateway"
	"github.com/gatehouse-auth/gatehouse/tokenstore/postgres/postgrestest"
)

// aliceSalt is how the hash of alice's password in testdata/portal.Caddyfile begins.
const aliceSalt = "user alice $2a$04$WEhrRsbKILaJ2Nt3TbSGMO"

// otherAlice is a Caddyfile in which alice's password has another hash.
func otherAlice(t *testing.T, text string) string {
	t.Helper()
	changed := strings.Replace(text, aliceSalt, strings.Replace(aliceSalt, "WEhr", "XEhr", 1), 1)
	if changed == text {
		t.Fatal("the Caddyfile does not have the hash that is to be changed")
	}
	return changed
}

// TestPassword_ThatChangesAfterTheUpgrade: what the old gateway began under a
// password lives on through the upgrade, and ends with the next one, though nobody
// has used it since: in browsers, of devices and of applications. Taken back, it is
// there again.
func TestPassword_ThatChangesAfterTheUpgrade(t *testing.T) {
	for driver, restore := range kept {
		t.Run(driver, func(t *testing.T) {
			store, env := restore(t)
			w := newWorld(t, store, "memory", env...)
			h := readHeld(t, driver)
			h.learn(w.secrets.Learn)
			n := w.start(t, "")
			n.Log.Await(t, 0, "end with the password from now on", time.Minute)
			p := newProgram(t, n)
			await(t, "the signing keys", func() bool { return len(keysOf(t, p).Keys) > 0 })

			text := caddyfile(t, "portal.Caddyfile")
			if err := n.Reload(t, otherAlice(t, text)); err != nil {
				t.Fatal(err)
			}
			alice := h.restore(t, "alice", newBrowser(t, n))
			await(t, "the end of alice's session", func() bool { return !isIn(alice, app) })
			if page := alice.Open(staff + "/"); page.URL.Host == host(staff) && page.Status == 200 {
				t.Errorf("the portal hands her over:\n%s", page.Path())
			}
			for client, secret := range map[string]string{"cli": "", "wiki": wikiSecret} {
				old := h.Refresh[client+" of alice"]
				if a := p.refresh(client, secret, old); a.Error != "invalid_grant" {
					t.Errorf("%s: refreshing answers %d %s", client, a.status, a.Error)
				}
				if secret == "" {
					continue
				}
				if a := p.post("introspect", client, secret, url.Values{"token": {old}}); a.Active {
					t.Errorf("%s: the refresh token is said to be active", client)
				}
			}

			if err := n.Reload(t, text); err != nil {
				t.Fatal(err)
			}
			alice = h.restore(t, "alice", newBrowser(t, n))
			await(t, "alice's session", func() bool { return isIn(alice, app) })
			for client, secret := range map[string]string{"cli": "", "wiki": wikiSecret} {
				if a := p.refresh(client, secret, h.Refresh[client+" of alice"]); a.status != 200 {
					t.Errorf("%s: after the way back, refreshing answers %d %s", client, a.status, a.Error)
				}
			}
		})
	}
}

// TestPassword_NodesWithDifferentCaddyfiles: while a change reaches one node after
// the other, a node with the older Caddyfile refuses what it does not know, and the
// others go on serving it.
func TestPassword_NodesWithDifferentCaddyfiles(t *testing.T) {
	w := newWorld(t, "postgres {env.DATABASE_URL}", "redis {env.REDIS_URL}",
		"DATABASE_URL="+postgrestest.URL(t), "REDIS_URL="+redistest.URL(t))
	text := caddyfile(t, "portal.Caddyfile")
	withoutAlice := strings.Replace(text, "user alice ", "user somebody ", 1)
	newer := w.start(t, "")
	for name, older := range map[string]string{"another password": otherAlice(t, text), "no such user": withoutAlice} {
		t.Run(name, func(t *testing.T) {
			behind := gateway.Start(t, gateway.Options{Caddyfile: older, Env: w.stores, Secrets: w.secrets})
			b := newBrowser(t, newer)
			signIn(t, b, app+"/", "alice", alicePassword)
			for range 3 {
				b.Via(to(behind))
				if isIn(b, app) {
					t.Error("the node with the older Caddyfile lets her in")
				}
				b.Via(to(newer))
				if !isIn(b, app) {
					t.Fatal("the node with the newer Caddyfile does not, any more")
				}
			}
			if err := behind.Reload(t, text); err != nil {
				t.Fatal(err)
			}
			b.Via(to(behind))
			await(t, "the session at the node that was behind", func() bool { return isIn(b, app) })
		})
	}
}
