package flows_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// silentStore has one method that does not answer, by its name.
type silentStore struct {
	tokenstore.Store
	silent *atomic.Value
}

func (s silentStore) Session(ctx context.Context, id uuid.UUID) (tokenstore.Session, error) {
	if s.silent.Load() == "Session" {
		return tokenstore.Session{}, tokenstore.ErrUnavailable
	}
	return s.Store.Session(ctx, id)
}

func (s silentStore) RevokeSession(ctx context.Context, id uuid.UUID) ([]uuid.UUID, error) {
	if s.silent.Load() == "RevokeSession" {
		return nil, tokenstore.ErrUnavailable
	}
	return s.Store.RevokeSession(ctx, id)
}

// TestBackchannel_ATokenIsUsedWhenItWasActedOn: a provider whose sign-out could
// not be stored is told so, and may send the same token again until it is; and
// not once more.
func TestBackchannel_ATokenIsUsedWhenItWasActedOn(t *testing.T) {
	silent := new(atomic.Value)
	silent.Store("")
	op, rp := twoWorldsWith(t, worldOptions{wrap: func(s tokenstore.Store, c cache.Store) (tokenstore.Store, cache.Store) {
		return silentStore{s, silent}, c
	}})
	token, receiver := signedOutAtProvider(t, op, rp)
	for _, step := range []struct {
		silent string
		status int
	}{{"Session", 503}, {"RevokeSession", 503}, {"", 200}, {"", 400}} {
		silent.Store(step.silent)
		newBrowser(t).do(logoutTokenRequest(t, rp, receiver, token)).want(step.status, "")
		if step.status == 503 {
			continue
		}
		rows, err := rp.store.ListSessions(t.Context(), tokenstore.SessionQuery{All: true})
		if err != nil || len(rows) != 1 || rows[0].RevokedAt.IsZero() {
			t.Fatalf("after %d: the store has %d sessions, not one that is revoked: %v", step.status, len(rows), err)
		}
	}
}

// signedOutAtProvider has somebody sign in through a provider and sign out there.
// It returns the logout token, which has not arrived yet, and where it is to go.
func signedOutAtProvider(t *testing.T, op, rp *world) (token, receiver string) {
	t.Helper()
	tokens := make(chan string, 1)
	held := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		tokens <- r.PostFormValue("logout_token")
	}))
	t.Cleanup(held.Close)
	receiver = op.gateway.Clients["gateway"].BackchannelLogoutURI
	op.gateway.Clients["gateway"].BackchannelLogoutURI = held.URL
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); op.gateway.Run(ctx) }()
	defer func() { cancel(); <-done }()
	b := newBrowser(t)
	b.get(rp.siteURL("app")+"/").signIn("alice", "wonderland").want(200, "hello")
	b.get(op.portalURL()+"/logout").submit(nil).want(200, "")
	select {
	case token = <-tokens:
	case <-time.After(time.Minute):
		t.Fatal("the provider does not tell of the sign-out")
	}
	return token, receiver
}

func logoutTokenRequest(t *testing.T, rp *world, receiver, token string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, receiver, strings.NewReader(url.Values{"logout_token": {token}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Host = strings.TrimPrefix(rp.siteURL("app"), "http://")
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

// A provider that does not wait until its sign-out was acted on may not tell of it
// again.
func TestBackchannel_HangingUpLosesNothing(t *testing.T) {
	client := &leaver{t: t}
	op, rp := twoWorldsWith(t, worldOptions{wrap: slowly(client)})
	token, receiver := signedOutAtProvider(t, op, rp)
	client.send(logoutTokenRequest(t, rp, receiver, token))
	rows, err := rp.store.ListSessions(t.Context(), tokenstore.SessionQuery{All: true})
	if err != nil || len(rows) != 1 || rows[0].RevokedAt.IsZero() {
		t.Errorf("the store has %d sessions, not one that is revoked: %v", len(rows), err)
	}
}
