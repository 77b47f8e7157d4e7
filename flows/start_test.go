package flows_test

import (
	"net/url"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-auth/gatehouse/flows/token"
)

func TestCode_IsNotConsumedWhileThereIsNoKeyToSignWith(t *testing.T) {
	clients := oauthClients()
	clients[0].IDTokenAlgorithm = token.RS256 // which the world has no key of
	w := newWorld(t, worldOptions{portal: true, clients: clients})
	web := app{t, w, "web", "web-secret-of-enough-length"}
	code := w.code(w.signedInBrowser(), authorizeParams("web", "https://web.test/cb", "openid"))
	for range 2 {
		if got := web.post("token", redeem(code)); got.status != 503 || got.header.Get("Retry-After") == "" {
			t.Fatalf("without a key: %d %v", got.status, got.body)
		}
	}
	w.keys.Algorithms = append(w.keys.Algorithms, token.RS256)
	if err := w.keys.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := web.post("token", redeem(code)); got.status != 200 {
		t.Errorf("with a key: %d %v", got.status, got.body)
	}
}

func TestClientCredentials_WhatWasRevokedBeforeTheStartIsRefused(t *testing.T) {
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients()})
	web := app{t, w, "web", "web-secret-of-enough-length"}
	access := web.post("token", url.Values{"grant_type": {"client_credentials"}}).text("access_token")
	var claims jwt.RegisteredClaims
	if _, _, err := jwt.NewParser().ParseUnverified(access, &claims); err != nil {
		t.Fatal(err)
	}
	// As this node did before it was started again.
	if err := w.store.RevokeTokenID(t.Context(), claims.ID, claims.ExpiresAt.Time); err != nil {
		t.Fatal(err)
	}
	if got := web.post("introspect", url.Values{"token": {access}}); got.body["active"] != false {
		t.Errorf("%v", got.body)
	}
}
