package flows_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/provider/oidc"
	"github.com/gatehouse-auth/gatehouse/flows/vault"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// refusing is a provider that refuses every refresh token, after it was asked.
type refusing struct {
	*oidc.Provider
	asked func()
}

func (p *refusing) Recheck(context.Context, string, identity.Claims) (provider.Result, error) {
	p.asked()
	return provider.Result{}, fmt.Errorf("refreshing: %w", provider.ErrGrant)
}

// forgetful is a store of provider tokens that takes none while it is told so.
type forgetful struct {
	tokenstore.ProviderTokens
	down atomic.Bool
}

func (s *forgetful) StoreProviderToken(ctx context.Context, t tokenstore.ProviderToken, o tokenstore.StoreOptions) (tokenstore.StoreResult, error) {
	if s.down.Load() {
		return tokenstore.StoreResult{}, tokenstore.ErrUnavailable
	}
	return s.ProviderTokens.StoreProviderToken(ctx, t, o)
}

// TestRecheck_ASignInMeanwhileStays: a refresh token that a provider refuses ends
// the sign-ins of before it was asked. Who signs in while it is asked has a newer
// token, even if that is not in the vault yet.
func TestRecheck_ASignInMeanwhileStays(t *testing.T) {
	_, rp, gateway := withVault(t, "openid", "profile", "email", "offline_access")
	config := gateway.Config
	outside := &refusing{Provider: config.Providers[0].(*oidc.Provider)}
	store := &forgetful{ProviderTokens: rp.store}
	var err error
	if config.Vault, err = vault.New(vault.Config{
		Store: store, Keyring: config.Keyring, Now: config.Now, Logger: config.Logger, Sources: []vault.Source{{Provider: outside}},
	}); err != nil {
		t.Fatal(err)
	}
	config.Providers = []provider.Provider{outside}
	if rp.gateway, err = flows.New(config); err != nil {
		t.Fatal(err)
	}
	page := rp.siteURL("app") + "/"
	before, meanwhile := newBrowser(t), newBrowser(t)
	before.get(page).signIn("alice", "wonderland").want(200, "hello")
	rp.clock.advance(time.Minute)
	outside.asked = func() {
		store.down.Store(true)
		rp.clock.advance(time.Second)
		meanwhile.get(page).signIn("alice", "wonderland").want(200, "hello")
	}
	token := kept(t, config.Vault)
	claims := identity.Claims{Provider: "outside", Issuer: token.Provider}
	if _, err := config.Vault.Recheck(t.Context(), token.Subject, "outside", claims); !errors.Is(err, vault.ErrNeedsReauth) {
		t.Fatalf("Recheck: %v", err)
	}
	if held := before.held().get(page); held.last.StatusCode != 303 {
		t.Errorf("signed in before: %d %s", held.last.StatusCode, held.body)
	}
	meanwhile.held().get(page).want(200, "hello")
	if n := strings.Count(rp.logs.String(), "sign-in has ended at the provider"); n != 1 {
		t.Errorf("logged %d times", n)
	}
}
