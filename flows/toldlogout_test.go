package flows_test

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"testing"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// told notes which clients are to be told of a sign-out.
type told struct {
	tokenstore.Store
	mu      sync.Mutex
	clients []string
}

func (n *told) Enqueue(ctx context.Context, e tokenstore.OutboxEntry) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.clients = append(n.clients, e.Target)
	return n.Store.Enqueue(ctx, e)
}

// A client that wants to know when its session has ended is told once, whoever
// ended it and by whichever way (OpenID Connect Back-Channel Logout, section 2.5).
func TestBackchannel_ClientsAreToldWhoeverEndsASession(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, w *world, b *browser, row tokenstore.Session){
		"signed out at the portal": func(_ *testing.T, w *world, b *browser, _ tokenstore.Session) {
			b.get(w.portalURL() + "/logout").submit(nil)
		},
		"the session, by an administrator": func(t *testing.T, w *world, _ *browser, row tokenstore.Session) {
			if err := w.gateway.EndSession(t.Context(), row.ID); err != nil {
				t.Error(err)
			}
		},
		"the sign-in, by an administrator": func(t *testing.T, w *world, _ *browser, row tokenstore.Session) {
			if err := w.gateway.EndSession(t.Context(), row.Parent); err != nil {
				t.Error(err)
			}
		},
		"all of the subject, by an administrator": func(t *testing.T, w *world, _ *browser, row tokenstore.Session) {
			if err := w.gateway.EndSubject(t.Context(), row.Subject); err != nil {
				t.Error(err)
			}
		},
		"that session, on one's own page": func(_ *testing.T, w *world, b *browser, row tokenstore.Session) {
			b.get(w.portalURL()+"/").submit(url.Values{"session": {row.ID.String()}}).want(http.StatusOK, "That session has ended")
		},
		"the consent, on one's own page": func(_ *testing.T, w *world, b *browser, _ tokenstore.Session) {
			b.get(w.portalURL() + "/").submit(url.Values{"client": {"web"}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			clients := oauthClients()
			clients[0].BackchannelLogoutURI = "http://127.0.0.1:1/nobody"
			notes := &told{}
			w := newWorld(t, worldOptions{portal: true, clients: clients, wrap: func(s tokenstore.Store, c cache.Store) (tokenstore.Store, cache.Store) {
				notes.Store = s
				return notes, c
			}})
			b := w.signedInBrowser()
			subject := w.tokens(b, set("scope", "openid"))
			_, claims := claimsOf(t, subject.answer.text("access_token"))
			sub, _ := claims["sub"].(string)
			rows, err := w.store.ListSessions(t.Context(), tokenstore.SessionQuery{Subject: sub, ClientID: "web"})
			if err != nil || len(rows) != 1 {
				t.Fatalf("%d sessions, %v", len(rows), err)
			}
			if err := w.store.SetConsent(t.Context(), tokenstore.Consent{Subject: sub, ClientID: "web", Scope: []string{"openid"}}); err != nil {
				t.Fatal(err)
			}
			end(t, w, b, rows[0])
			ended, err := w.store.Session(t.Context(), rows[0].ID)
			if err != nil || ended.RevokedAt.IsZero() {
				t.Errorf("the session goes on: %v", err)
			}
			if len(notes.clients) != 1 || notes.clients[0] != "web" {
				t.Errorf("told are %v, want web once", notes.clients)
			}
		})
	}
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	if err := w.gateway.EndSubject(t.Context(), ""); err == nil {
		t.Error("nobody's sessions are ended")
	}
}
