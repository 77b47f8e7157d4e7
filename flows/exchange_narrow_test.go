package flows_test

import (
	"context"
	"maps"
	"net"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows"
	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/provider/oidc"
	"github.com/gatehouse-auth/gatehouse/flows/vault"
)

// Over HTTP, at a provider that narrows: a client has what it asks for and no more (RFC
// 8693, section 2.1, of scope), one token is kept for each, and the grant stays whole. The
// provider is another gateway, which rotates refresh tokens and ends a grant by reuse.
func TestRFC8693_NarrowsOverHTTP(t *testing.T) {
	wide := []string{"openid", "profile", "email", "offline_access"}
	outside := &client.Client{
		ID: "gateway", Secrets: []client.Secret{client.NewSecret("a-secret-of-the-other-gateway")}, FirstParty: true,
		Scopes: wide, RedirectURIs: []string{"https://later.test/"},
	}
	op := newWorld(t, worldOptions{portal: true, portalHost: "op.test", clients: []*client.Client{outside}})
	dial := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		_, p, _ := net.SplitHostPort(addr)
		var d net.Dialer
		return d.DialContext(ctx, network, "127.0.0.1:"+p)
	}}}
	t.Cleanup(dial.CloseIdleConnections)
	job := &client.Client{
		ID: "job", Secrets: []client.Secret{client.NewSecret(batchSecret)}, FirstParty: true, Grants: []string{client.GrantCode},
		RedirectURIs: []string{"https://job.test/cb"}, MayExchange: []string{"outside"},
	}
	rp := newWorld(t, worldOptions{portal: true, clients: []*client.Client{job}, providers: func(now func() time.Time) []provider.Provider {
		p, err := oidc.New(oidc.Config{
			Name: "outside", Title: "Outside", Issuer: op.portalURL(), InsecureHTTP: true, ClientID: "gateway",
			ClientSecret: "a-secret-of-the-other-gateway", Scopes: wide, HTTPClient: dial, Now: now,
		})
		if err != nil {
			t.Fatal(err)
		}
		return []provider.Provider{p}
	}})
	outside.RedirectURIs = []string{rp.portalURL() + "/callback/outside"}
	config := rp.gateway.Config
	var err error
	config.Vault, err = vault.New(vault.Config{
		Store: rp.store, Keyring: config.Keyring, Now: config.Now, Logger: config.Logger, Sources: []vault.Source{{Provider: config.Providers[0], Narrow: true}},
	})
	if err == nil {
		rp.gateway, err = flows.New(config)
	}
	if err != nil {
		t.Fatal(err)
	}
	b := newBrowser(t)
	b.get(rp.siteURL("app")+"/").signIn("alice", "wonderland").want(http.StatusOK, "hello")
	a := app{t, rp, "job", batchSecret}
	own := hubbed{world: rp}.accessTokenOf(b, a, "https://job.test/cb", "openid", nil)
	asks := func(more url.Values) answer {
		form := exchange(own)
		maps.Copy(form, more)
		return a.send(form)
	}
	stored := kept(t, rp.gateway.Vault)

	whole := asks(nil)
	if whole.status != http.StatusOK || whole.text("access_token") != stored.AccessToken {
		t.Fatalf("the grant's own: %d %v", whole.status, whole.body)
	}
	email := asks(url.Values{"scope": {"openid email"}})
	if email.status != http.StatusOK || email.text("scope") != "email openid" && email.text("scope") != "openid email" ||
		email.text("access_token") == stored.AccessToken || email.text("token_type") != "Bearer" || email.text("issued_token_type") != client.TypeAccessToken ||
		email.body["expires_in"] == nil || email.body["refresh_token"] != nil {
		t.Fatalf("narrowed: %d %v", email.status, email.body)
	}
	// The provider says the same of it: no more than was asked for.
	_, claims := claimsOf(t, email.text("access_token"))
	if got := claims["scope"]; got != "openid email" && got != "email openid" {
		t.Errorf("the token itself is for %v", got)
	}
	for range 3 {
		if again := asks(url.Values{"scope": {"email openid"}}); again.text("access_token") != email.text("access_token") {
			t.Errorf("another one is had for the same: %d %v", again.status, again.body)
		}
	}
	if got := asks(nil); got.text("access_token") != stored.AccessToken {
		t.Errorf("the grant's own has changed: %d %v", got.status, got.body)
	}
	for name, tt := range map[string]struct {
		form url.Values
		want string
	}{
		"more than was granted":            {url.Values{"scope": {"openid groups"}}, "invalid_scope"},
		"a resource that it does not know": {url.Values{"resource": {"https://elsewhere.test"}, "audience": {"outside"}}, "invalid_target"},
		"no scope at all":                  {url.Values{"scope": {"\""}}, "invalid_scope"},
	} {
		if got := asks(tt.form); got.status != http.StatusBadRequest || got.text("error") != tt.want || got.body["access_token"] != nil {
			t.Errorf("%s: %d %v, want %s", name, got.status, got.body, tt.want)
		}
	}
	// What was refused has cost the grant nothing, and what expires is had anew.
	op.clock.advance(30 * time.Minute)
	rp.clock.advance(30 * time.Minute)
	if got := asks(nil); got.status != http.StatusBadRequest || got.text("error") != "invalid_request" || got.body["access_token"] != nil {
		t.Errorf("an expired subject token: %d %v", got.status, got.body)
	}
	own = hubbed{world: rp}.accessTokenOf(b, a, "https://job.test/cb", "openid", nil)
	if got := asks(url.Values{"scope": {"openid email"}}); got.status != http.StatusOK || got.text("access_token") == email.text("access_token") {
		t.Errorf("an expired one: %d %v", got.status, got.body)
	}
	if got := asks(nil); got.status != http.StatusOK || got.text("access_token") == stored.AccessToken {
		t.Errorf("the grant's own, expired: %d %v", got.status, got.body)
	}
}
