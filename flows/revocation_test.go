package flows_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows/web"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

func TestRevocation_EndsTheFamilyAndItsAccessTokens(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	web, other := app{t, w, "web", "web-secret-of-enough-length"}, app{t, w, "other", "other-secret-of-enough-length"}
	got := web.post("token", redeem(w.code(w.signedInBrowser(), authorizeParams("web", "https://web.test/cb", "openid offline_access"))))
	access, refresh := got.text("access_token"), got.text("refresh_token")
	// RFC 7009, section 2.1: whoever presents another client's token is told.
	for _, foreign := range []string{refresh, access} {
		if got := other.post("revoke", url.Values{"token": {foreign}}); got.status != 400 || got.text("error") != "invalid_grant" {
			t.Errorf("a foreign client's revocation: %d %v", got.status, got.body)
		}
	}
	if got := other.post("revoke", url.Values{"token": {"junk"}, "token_type_hint": {"refresh_token"}}); got.status != 200 {
		t.Errorf("revocation of an unknown token: %d", got.status) // section 2.2
	}
	if other.post("introspect", url.Values{"token": {access}}).body["active"] != false {
		t.Error("another client sees the token")
	}
	info := func() answer {
		b := newBrowser(t)
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, w.portalURL()+"/userinfo", nil)
		req.Header.Set("Authorization", "bearer "+access)
		b.do(req)
		a := answer{status: b.last.StatusCode, header: b.last.Header, body: map[string]any{}}
		_ = json.Unmarshal([]byte(b.body), &a.body)
		return a
	}
	if got := info(); got.status != 200 || got.text("sub") == "" {
		t.Fatalf("userinfo: %d %v", got.status, got.body)
	}
	if got := web.post("revoke", url.Values{"token": {refresh}}); got.status != 200 {
		t.Fatalf("revoke: %d", got.status)
	}
	if got := info(); got.status != 401 || !strings.Contains(got.header.Get("WWW-Authenticate"), "invalid_token") {
		t.Errorf("userinfo after revocation: %d %v", got.status, got.header)
	}
	inactive := web.post("introspect", url.Values{"token": {refresh}})
	if len(inactive.body) != 1 || inactive.body["active"] != false {
		t.Errorf("introspection after revocation: %v", inactive.body)
	}
}

// TestRevocation_IsConfirmedWhenItIsStored: after a revocation that could not be
// stored this node refuses the token, and a client that asks again is not told
// on the strength of that that it is revoked.
func TestRevocation_IsConfirmedWhenItIsStored(t *testing.T) {
	for _, kind := range []string{"access_token", "refresh_token"} {
		t.Run(kind, func(t *testing.T) {
			down := new(atomic.Bool)
			w := newWorld(t, worldOptions{portal: true, clients: oauthClients(), wrap: func(s tokenstore.Store, c cache.Store) (tokenstore.Store, cache.Store) {
				return brokenStore{downStore{s, down}}, c
			}})
			web := app{t, w, "web", "web-secret-of-enough-length"}
			got := web.post("token", redeem(w.code(w.signedInBrowser(), authorizeParams("web", "https://web.test/cb", "openid offline_access"))))
			form := url.Values{"token": {got.text(kind)}}
			down.Store(true)
			for range 2 {
				if got := web.post("revoke", form); got.status != 503 {
					t.Fatalf("while the store is down: %d %v", got.status, got.body)
				}
			}
			down.Store(false)
			if got := web.post("revoke", form); got.status != 200 {
				t.Fatalf("afterwards: %d %v", got.status, got.body)
			}
			rows, err := w.store.ListSessions(t.Context(), tokenstore.SessionQuery{All: true, ClientID: "web"})
			if err != nil || len(rows) != 1 || rows[0].RevokedAt.IsZero() {
				t.Errorf("the store has %+v, %v", rows, err)
			}
		})
	}
}

func TestRevocation_OfATokenWithoutSessionReachesOtherNodes(t *testing.T) {
	first := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	listening := &ears{Store: first.cache}
	second := newWorld(t, worldOptions{portal: true, clients: oauthClients(), wrap: func(tokenstore.Store, cache.Store) (tokenstore.Store, cache.Store) {
		return tightLipped{first.store}, listening
	}, issuer: first.portalURL()})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); second.gateway.Run(ctx) }()
	defer func() { cancel(); <-done }()
	one, two := app{t, first, "web", "web-secret-of-enough-length"}, app{t, second, "web", "web-secret-of-enough-length"}
	access := one.post("token", url.Values{"grant_type": {"client_credentials"}}).text("access_token")
	active := func() bool {
		form := url.Values{"token": {access}}
		r := httptest.NewRequest(http.MethodPost, first.portalURL()+"/introspect", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.SetBasicAuth(two.id, two.secret)
		rec := httptest.NewRecorder()
		u, _ := url.Parse(first.portalURL())
		second.gateway.ServePortal(rec, &web.Request{Request: r, URI: "/introspect", Scheme: "http", Host: u.Host, ClientIP: "192.0.2.1"})
		return strings.Contains(rec.Body.String(), `"active":true`)
	}
	if !active() {
		t.Fatal("the token of one node is not known to the other")
	}
	eventually(t, "the other node listens", func() bool { return listening.open.Load() == 2 })
	one.post("revoke", url.Values{"token": {access}})
	eventually(t, "the other node has heard of it", func() bool { return !active() })
}

// tightLipped names no token that was revoked: who knows of one has heard of it.
type tightLipped struct{ tokenstore.Store }

func (tightLipped) RevokedTokenIDs(context.Context) ([]tokenstore.RevokedTokenID, error) {
	return nil, nil
}

// ears counts the subscriptions that stand: a node has one for its sessions and
// one for its tokens.
type ears struct {
	cache.Store
	open atomic.Int32
}

func (e *ears) Subscribe(ctx context.Context, receive func(cache.Announcement), gap func()) error {
	err := e.Store.Subscribe(ctx, receive, gap)
	if err == nil {
		e.open.Add(1)
	}
	return err
}
