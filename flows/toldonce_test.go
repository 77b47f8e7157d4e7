package flows_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// A session that has ended is not signed out again: its client was told.
func TestBackchannel_ToldOnceThoughAskedTwice(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, w *world, b *browser, row tokenstore.Session){
		"administrator, twice": func(t *testing.T, w *world, _ *browser, row tokenstore.Session) {
			for range 2 {
				if err := w.gateway.EndSession(t.Context(), row.ID); err != nil {
					t.Error(err)
				}
			}
		},
		"own page, twice": func(_ *testing.T, w *world, b *browser, row tokenstore.Session) {
			p := b.get(w.portalURL() + "/")
			p.submit(url.Values{"session": {row.ID.String()}}).want(http.StatusOK, "That session has ended")
			p.submit(url.Values{"session": {row.ID.String()}})
		},
	} {
		for _, scope := range []string{"openid", "openid offline_access"} {
			t.Run(name+" "+scope, func(t *testing.T) {
				clients := oauthClients()
				clients[0].BackchannelLogoutURI = "http://127.0.0.1:1/nobody"
				notes := &told{}
				w := newWorld(t, worldOptions{portal: true, clients: clients, wrap: func(s tokenstore.Store, c cache.Store) (tokenstore.Store, cache.Store) {
					notes.Store = s
					return notes, c
				}})
				b := w.signedInBrowser()
				subject := w.tokens(b, set("scope", scope))
				_, claims := claimsOf(t, subject.answer.text("access_token"))
				sub, _ := claims["sub"].(string)
				rows, err := w.store.ListSessions(t.Context(), tokenstore.SessionQuery{Subject: sub, ClientID: "web"})
				if err != nil || len(rows) != 1 {
					t.Fatalf("%d sessions, %v", len(rows), err)
				}
				end(t, w, b, rows[0])
				if len(notes.clients) != 1 {
					t.Errorf("told are %v, want web once", notes.clients)
				}
			})
		}
	}
}
