package flows_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows"
	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/provider/oidc"
	"github.com/gatehouse-auth/gatehouse/flows/vault"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// withVault is a gateway that keeps the tokens of another one, which rotates
// its refresh tokens and judges their reuse.
func withVault(t *testing.T, scopes ...string) (op, rp *world, gateway *flows.Gateway) {
	t.Helper()
	return withVaultOn(t, nil, scopes...)
}

// withVaultOn is withVault on stores that something is wrapped around.
func withVaultOn(t *testing.T, wrap func(tokenstore.Store, cache.Store) (tokenstore.Store, cache.Store), scopes ...string) (op, rp *world, gateway *flows.Gateway) {
	t.Helper()
	outside := &client.Client{
		ID: "gateway", Secrets: []client.Secret{client.NewSecret("a-secret-of-the-other-gateway")}, FirstParty: true,
		Scopes: []string{"openid", "profile", "email", "offline_access"}, RedirectURIs: []string{"https://later.test/"},
	}
	op = newWorld(t, worldOptions{portal: true, clients: []*client.Client{outside}})
	dial := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		_, p, _ := net.SplitHostPort(addr)
		var d net.Dialer
		return d.DialContext(ctx, network, "127.0.0.1:"+p)
	}}}
	t.Cleanup(dial.CloseIdleConnections)
	rp = newWorld(t, worldOptions{wrap: wrap, providers: func(now func() time.Time) []provider.Provider {
		p, err := oidc.New(oidc.Config{
			Name: "outside", Title: "Outside", Issuer: op.portalURL(), InsecureHTTP: true, ClientID: "gateway",
			ClientSecret: "a-secret-of-the-other-gateway", Scopes: scopes, HTTPClient: dial, Now: now,
		})
		if err != nil {
			t.Fatal(err)
		}
		return []provider.Provider{p}
	}})
	outside.RedirectURIs = []string{rp.siteURL("app") + "/.gatehouse/callback/outside"}
	config := rp.gateway.Config
	v, err := vault.New(vault.Config{
		Store: rp.store, Keyring: config.Keyring, Now: config.Now, Logger: config.Logger,
		Sources: []vault.Source{{Provider: config.Providers[0]}},
	})
	if err != nil {
		t.Fatal(err)
	}
	config.Vault = v
	if gateway, err = flows.New(config); err != nil {
		t.Fatal(err)
	}
	rp.gateway = gateway
	return op, rp, gateway
}

// kept is the one token in the vault.
func kept(t *testing.T, v *vault.Vault) vault.Token {
	t.Helper()
	page, err := v.List(t.Context(), vault.Query{Provider: "outside"})
	if err != nil || len(page.Tokens) != 1 {
		t.Fatalf("%d tokens are kept (%v), want 1", len(page.Tokens), err)
	}
	return page.Tokens[0]
}

func TestKeepToken(t *testing.T) {
	op, rp, gateway := withVault(t, "openid", "profile", "email", "offline_access")
	b := newBrowser(t)
	b.get(rp.siteURL("app")+"/").signIn("alice", "wonderland").want(200, "hello")
	first := kept(t, gateway.Vault)
	if first.AccessToken == "" || first.RefreshToken == "" || first.ClientID != "gateway" || first.Provider != op.portalURL() {
		t.Fatalf("kept %+v", first.ProviderToken)
	}
	// Fresh ones, for days, from a provider that ends the family at any reuse.
	for range 5 {
		op.clock.advance(2 * time.Hour)
		rp.clock.advance(2 * time.Hour)
		a, err := gateway.Vault.Fresh(t.Context(), first.Subject, "outside", 0)
		if err != nil {
			t.Fatal(err)
		}
		if a.AccessToken == first.AccessToken || !a.ExpiresAt.After(rp.clock.now()) {
			t.Fatalf("not fresh: until %s", a.ExpiresAt)
		}
	}
	// Removed here, revoked there: the gateway's own background work does it.
	last := kept(t, gateway.Vault)
	if _, err := gateway.Vault.RemoveSubject(t.Context(), first.Subject); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); gateway.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	refresher := gateway.Providers[0].(provider.Refresher)
	eventually(t, "the removed token is revoked", func() bool { return gateway.Vault.Stats().Revoked > 0 })
	if _, err := refresher.Refresh(t.Context(), last.RefreshToken, nil); !errors.Is(err, provider.ErrGrant) {
		t.Errorf("the removed token still works at the provider: %v", err)
	}
	if _, err := gateway.Vault.Fresh(t.Context(), first.Subject, "outside", 0); !errors.Is(err, tokenstore.ErrNotFound) {
		t.Errorf("Fresh of a removed token: %v", err)
	}
}

// Where a provider gives no refresh token, its access token is kept, and that is
// said.
func TestKeepToken_WithoutARefreshToken(t *testing.T) {
	_, rp, gateway := withVault(t, "openid", "profile", "email")
	b := newBrowser(t)
	b.get(rp.siteURL("app")+"/").signIn("alice", "wonderland").want(200, "hello")
	page, err := gateway.Vault.List(t.Context(), vault.Query{All: true})
	if err != nil || len(page.Tokens) != 1 || page.Tokens[0].AccessToken == "" || page.Tokens[0].RefreshToken != "" {
		t.Errorf("kept are %+v (%v)", page.Tokens, err)
	}
	if !strings.Contains(rp.logs.String(), "offline_access") {
		t.Error("the operator is not told")
	}
}
