package flows_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows"
	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/provider/oidc"
	"github.com/gatehouse-auth/gatehouse/flows/token"
	"github.com/gatehouse-auth/gatehouse/flows/vault"
)

// A client that does nothing but refresh has its user asked about at the provider, as
// somebody is whose session is used. Who is closed there mints no more tokens.
func TestRefresh_IsUseThatTheProviderIsAskedAbout(t *testing.T) {
	_, rp, gateway := withVault(t, "openid", "profile", "email", "offline_access")
	config := gateway.Config
	var asked atomic.Int64
	outside := &refusing{Provider: config.Providers[0].(*oidc.Provider), asked: func() { asked.Add(1) }}
	var err error
	if config.Vault, err = vault.New(vault.Config{
		Store: rp.store, Keyring: config.Keyring, Now: config.Now, Logger: config.Logger, Sources: []vault.Source{{Provider: outside}},
	}); err != nil {
		t.Fatal(err)
	}
	config.Providers, config.Recheck = []provider.Provider{outside}, 100*time.Millisecond
	config.Clients = map[string]*client.Client{}
	for _, c := range oauthClients() {
		c.IDTokenAlgorithm = token.ES256 // of which the world has keys
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		config.Clients[c.ID] = c
	}
	if rp.gateway, err = flows.New(config); err != nil {
		t.Fatal(err)
	}
	b := newBrowser(t)
	b.get(rp.siteURL("app")+"/").signIn("alice", "wonderland").want(http.StatusOK, "hello")
	got := rp.codeAt(b.held(), "app", "web")

	rp.clock.advance(time.Hour) // the provider's token has expired, and nobody was here
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); rp.gateway.Run(ctx) }()
	defer func() { cancel(); <-done }()
	eventually(t, "the refresh to be refused", func() bool {
		next := rp.postAt("app", "token", "web", refreshForm(got))
		if next.status == http.StatusOK {
			got = next
			return false
		}
		return next.text("error") == "invalid_grant"
	})
	if asked.Load() == 0 {
		t.Error("the provider was not asked")
	}
}
