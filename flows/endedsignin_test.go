package flows_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// TestEndedSignIn_NothingIsDeliveredFromIt: what a sign-in allowed and nobody has
// fetched yet ends with it, whether it would have outlived the sign-in or not.
func TestEndedSignIn_NothingIsDeliveredFromIt(t *testing.T) {
	ways := map[string]func(t *testing.T, w *world, b *browser, portal tokenstore.Session){
		"signed out": func(_ *testing.T, w *world, b *browser, _ tokenstore.Session) {
			b.get(w.portalURL()+"/logout").submit(nil).want(200, "signed out")
		},
		"session ended by an administrator": func(t *testing.T, w *world, _ *browser, portal tokenstore.Session) {
			if err := w.gateway.EndSession(t.Context(), portal.ID); err != nil {
				t.Fatal(err)
			}
		},
		"all sessions ended by an administrator": func(t *testing.T, w *world, _ *browser, portal tokenstore.Session) {
			if err := w.gateway.EndSubject(t.Context(), portal.Subject); err != nil {
				t.Fatal(err)
			}
		},
	}
	for _, scope := range []string{"openid", "openid offline_access"} {
		for way, end := range ways {
			t.Run(scope+": "+way, func(t *testing.T) {
				w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
				cli, web := app{t, w, "cli", ""}, app{t, w, "web", "web-secret-of-enough-length"}
				device := cli.post("device_authorization", url.Values{"scope": {scope}})
				b := newBrowser(t)
				b.get(device.text("verification_uri_complete")).signIn("alice", "wonderland")
				b.submit(url.Values{"decision": {"approve"}}).want(200, "")
				code := w.code(b.held(), authorizeParams("web", "https://web.test/cb", scope))

				end(t, w, b, w.portalSession())
				if got := cli.poll(device); got.text("error") != "invalid_grant" {
					t.Errorf("device code: %d %v", got.status, got.body)
				}
				if got := web.post("token", redeem(code)); got.text("error") != "invalid_grant" {
					t.Errorf("authorization code: %d %v", got.status, got.body)
				}
				live, err := w.store.ListSessions(t.Context(), tokenstore.SessionQuery{Subject: w.portalSession().Subject})
				if err != nil || len(live) != 0 {
					t.Errorf("%d live sessions, %v", len(live), err)
				}
			})
		}
	}
}

// TestEndedSignIn_OfflineAccessIsOnlyBegunByIt: once delivered, offline access
// outlives the sign-in that it began with, by its end as by its lifetime.
func TestEndedSignIn_OfflineAccessIsOnlyBegunByIt(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	web := app{t, w, "web", "web-secret-of-enough-length"}
	b := w.signedInBrowser()
	w.clock.advance(time.Hour)
	got := web.post("token", redeem(w.code(b, authorizeParams("web", "https://web.test/cb", "openid offline_access"))))
	if got.status != 200 {
		t.Fatalf("%d %v", got.status, got.body)
	}
	portal := w.portalSession()
	rows, err := w.store.ListSessions(t.Context(), tokenstore.SessionQuery{Subject: portal.Subject, ClientID: "web"})
	if err != nil || len(rows) != 1 {
		t.Fatalf("%d sessions, %v", len(rows), err)
	}
	if rows[0].Parent != uuid.Nil || !rows[0].ExpiresAt.After(portal.ExpiresAt) {
		t.Errorf("offline access ends at %v and comes from %v, the sign-in ends at %v", rows[0].ExpiresAt, rows[0].Parent, portal.ExpiresAt)
	}
	if err := w.gateway.EndSession(t.Context(), portal.ID); err != nil {
		t.Fatal(err)
	}
	form := url.Values{"grant_type": {client.GrantRefresh}, "refresh_token": {got.text("refresh_token")}}
	if got := web.post("token", form); got.status != 200 {
		t.Errorf("refresh after the sign-in ended: %d %v", got.status, got.body)
	}
}

// portalSession is the only sign-in at the portal, live or not.
func (w *world) portalSession() tokenstore.Session {
	w.t.Helper()
	rows, err := w.store.ListSessions(w.t.Context(), tokenstore.SessionQuery{All: true, ClientID: ":portal"})
	if err != nil || len(rows) != 1 {
		w.t.Fatalf("%d sign-ins at the portal, %v", len(rows), err)
	}
	return rows[0]
}
