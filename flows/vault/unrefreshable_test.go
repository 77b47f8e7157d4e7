package vault_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/provider/github"
	"github.com/gatehouse-auth/gatehouse/flows/vault"
)

// hub is GitHub's API for an OAuth App.
type hub struct {
	url     string
	revoked atomic.Bool // it answers 401 to the token
	down    atomic.Bool // and 502 to everything
	asked   atomic.Int32
	deleted atomic.Int32
}

func (h *hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	switch {
	case r.Method == http.MethodDelete:
		h.deleted.Add(1)
		w.WriteHeader(http.StatusNoContent)
	case h.down.Load():
		w.WriteHeader(http.StatusBadGateway)
	case r.URL.Path == "/api/v3/user":
		h.asked.Add(1)
		if h.revoked.Load() && r.Header.Get("Authorization") == "Bearer gho_one" {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"message":"Bad credentials"}`))
			return
		}
		_, _ = w.Write([]byte(`{"id":7,"login":"octo","type":"User"}`))
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// hubbed is a vault of GitHub's tokens alone.
func (b *bed) hubbed(change func(*vault.Config)) (*vault.Vault, *hub) {
	b.Helper()
	h := new(hub)
	server := httptest.NewServer(h)
	b.Cleanup(server.Close)
	h.url = server.URL
	return b.anotherHubbed(h, change), h
}

func (b *bed) anotherHubbed(h *hub, change func(*vault.Config)) *vault.Vault {
	b.Helper()
	transport := &http.Transport{}
	b.Cleanup(transport.CloseIdleConnections)
	p, err := github.New(github.Config{
		Name: "github", ClientID: "oauth app", ClientSecret: "secret", BaseURL: h.url, Scopes: []string{"repo"},
		HTTPClient: &http.Client{Transport: transport}, Now: b.clock.now,
	})
	b.ok(err)
	c := b.config()
	c.Sources = []vault.Source{{Provider: p}}
	if change != nil {
		change(&c)
	}
	return b.open(c)
}

func octo(h *hub) identity.Claims {
	return identity.Claims{Provider: "github", Issuer: h.url, ID: "7", User: "github:7"}
}

// The token of an OAuth App, as GitHub answers: {access_token, token_type, scope}
// (jlowin/fastmcp#2534).
func ofOAuthApp(name string) provider.Token {
	return provider.Token{AccessToken: name, TokenType: "bearer", Scope: "repo"}
}

func TestUnrefreshable_IsUsedUntilTheProviderRefusesIt(t *testing.T) {
	onEachStore(t, func(b *bed) {
		var told atomic.Int32
		v, h := b.hubbed(func(c *vault.Config) {
			c.Refused = func(context.Context, string, string, time.Time) error { told.Add(1); return nil }
		})
		_, err := v.Put(b.Context(), "ann", "github", ofOAuthApp("gho_one"))
		b.ok(err)
		for _, later := range []time.Duration{0, time.Hour, 30 * 24 * time.Hour, 300 * 24 * time.Hour} {
			b.clock.advance(later)
			a, err := v.Use(b.Context(), "ann", "github")
			b.ok(err)
			b.same("token after "+later.String(), a.AccessToken, "gho_one")
			_, err = b.store.Maintain(b.Context(), time.Hour)
			b.ok(err)
		}
		b.same("asked for nothing", h.asked.Load(), int32(0))

		// The provider says who the user is now, and spends nothing for it.
		expiry, err := v.Expiry(b.Context(), "ann", "github")
		b.ok(err)
		if !expiry.IsZero() {
			b.Errorf("it is not to be asked about before %s", expiry)
		}
		claims, err := v.Recheck(b.Context(), "ann", "github", octo(h))
		b.ok(err)
		b.same("who it is", claims.ID, "7")
		h.down.Store(true)
		if _, err := v.Recheck(b.Context(), "ann", "github", octo(h)); !errors.Is(err, provider.ErrUnavailable) {
			b.Errorf("asking a provider that is down: %v", err)
		}
		h.down.Store(false)
		b.clock.advance(2 * time.Minute)
		a, err := v.Use(b.Context(), "ann", "github")
		b.ok(err)
		b.same("token", a.AccessToken, "gho_one")

		// One that it refuses is used no more, here and elsewhere, and stays refused.
		h.revoked.Store(true)
		other := b.anotherHubbed(h, nil)
		if _, err := other.Use(b.Context(), "ann", "github"); err != nil {
			b.Fatal(err)
		}
		if _, err := v.Recheck(b.Context(), "ann", "github", octo(h)); !errors.Is(err, vault.ErrNeedsReauth) {
			b.Errorf("Recheck: %v", err)
		}
		b.same("told", told.Load(), int32(1))
		b.clock.advance(time.Minute)
		for name, node := range map[string]*vault.Vault{"this node": v, "another": other} {
			if _, err := node.Use(b.Context(), "ann", "github"); !errors.Is(err, vault.ErrNeedsReauth) || errors.Is(err, vault.ErrLapsed) {
				b.Errorf("%s: %v", name, err)
			}
		}

		// One sign-in gives another one.
		stored, err := v.Put(b.Context(), "ann", "github", ofOAuthApp("gho_two"))
		b.ok(err)
		b.same("displaced", stored.Displaced.AccessToken, "gho_one")
		b.clock.advance(time.Minute)
		for _, node := range []*vault.Vault{v, other} {
			a, err := node.Use(b.Context(), "ann", "github")
			b.ok(err)
			b.same("token", a.AccessToken, "gho_two")
		}
	})
}

// An application's 401 is no more than a reason to ask the provider, and that not
// often: it has reasons of its own.
func TestDoubted_TheProvidersWordCounts(t *testing.T) {
	onEachStore(t, func(b *bed) {
		v, h := b.hubbed(nil)
		_, err := v.Put(b.Context(), "ann", "github", ofOAuthApp("gho_one"))
		b.ok(err)
		for range 5 {
			b.ok(v.Doubted(b.Context(), "ann", "github", "gho_one", octo(h)))
		}
		b.same("asked", h.asked.Load(), int32(1))
		h.revoked.Store(true)
		b.ok(v.Doubted(b.Context(), "ann", "github", "gho_one", octo(h))) // not yet again
		b.clock.advance(time.Minute)
		b.ok(v.Doubted(b.Context(), "nobody", "github", "gho_one", octo(h)))
		b.ok(v.Doubted(b.Context(), "ann", "nowhere", "gho_one", octo(h)))
		b.ok(v.Doubted(b.Context(), "ann", "github", "another token", octo(h)))
		b.clock.advance(time.Minute)
		h.down.Store(true)
		b.ok(v.Doubted(b.Context(), "ann", "github", "gho_one", octo(h)))
		h.down.Store(false)
		b.clock.advance(2 * time.Minute)
		if err := v.Doubted(b.Context(), "ann", "github", "gho_one", octo(h)); !errors.Is(err, vault.ErrNeedsReauth) {
			b.Errorf("a token that is refused: %v", err)
		}
		b.clock.advance(time.Minute)
		if err := v.Doubted(b.Context(), "ann", "github", "gho_one", octo(h)); !errors.Is(err, vault.ErrNeedsReauth) {
			b.Errorf("a token that is known to be refused: %v", err)
		}
		if _, err := v.Use(b.Context(), "ann", "github"); !errors.Is(err, vault.ErrNeedsReauth) {
			b.Errorf("Use: %v", err)
		}
	})
}

// What is removed is deleted at GitHub; what is there again is not.
func TestUnrefreshable_IsRevoked(t *testing.T) {
	onEachStore(t, func(b *bed) {
		v, h := b.hubbed(nil)
		put := func(name string) {
			b.Helper()
			_, err := v.Put(b.Context(), "ann", "github", ofOAuthApp(name))
			b.ok(err)
		}
		put("gho_one")
		removed, err := v.RemoveAccess(b.Context(), "gho_one")
		b.ok(err)
		b.same("removed", len(removed), 1)
		put("gho_one")
		b.drain(v)
		b.same("deleted what is there again", h.deleted.Load(), int32(0))
		_, err = v.RemoveSubject(b.Context(), "ann")
		b.ok(err)
		put("gho_two")
		b.drain(v)
		b.same("deleted", h.deleted.Load(), int32(1))
		b.same("secrets in clear", strings.Contains(string(b.raw()), "gho_"), false)
	})
}

// Without a refresh token an access token is used to its end, and the next sign-in
// gives another one.
func TestUnrefreshable_ThatExpires(t *testing.T) {
	onEachStore(t, func(b *bed) {
		v := b.vault()
		put := func(name string, life time.Duration) {
			b.Helper()
			_, err := v.Put(b.Context(), "ann", "sso", provider.Token{AccessToken: name, Scope: "openid", ExpiresAt: b.clock.now().Add(life)})
			b.ok(err)
		}
		put("one", time.Hour)
		b.clock.advance(59*time.Minute + 30*time.Second)
		a, err := v.Use(b.Context(), "ann", "sso")
		b.ok(err)
		b.same("token", a.AccessToken, "one")
		if _, err := v.Recheck(b.Context(), "ann", "sso", b.ann()); !errors.Is(err, vault.ErrNeedsReauth) {
			b.Errorf("asking with nothing to ask with: %v", err)
		}
		b.clock.advance(30 * time.Second)
		if _, err := v.Use(b.Context(), "ann", "sso"); !errors.Is(err, vault.ErrLapsed) || !errors.Is(err, vault.ErrNeedsReauth) {
			b.Errorf("Use after its end: %v", err)
		}
		_, err = b.store.Maintain(b.Context(), time.Hour)
		b.ok(err)
		if err := b.refusal(v, vault.ErrLapsed); err == nil {
			b.Error("nothing tells any more that there was one")
		}
		put("two", 10*time.Second)
		b.clock.advance(11 * time.Second)
		if err := b.refusal(v, vault.ErrNeedsReauth); errors.Is(err, vault.ErrLapsed) {
			b.Errorf("one of ten seconds is as if there were none: %v", err)
		}
		b.same("asked the provider", b.op.asked(), 0)
	})
}

// A token of a former client id is of no use to this one: what it gives now
// replaces it, though it can do less; and it is not asked to be refreshed.
func TestPut_AfterAChangeOfTheClient(t *testing.T) {
	onEachStore(t, func(b *bed) {
		was := b.config()
		was.Sources = []vault.Source{{Provider: b.provider("sso", "former client")}}
		former := b.open(was)
		wide := b.signIn(former)
		v := b.vault()
		b.clock.advance(2 * time.Hour)
		b.refuses(v, vault.ErrNeedsReauth)
		b.same("asked the provider", b.op.asked(), 0)
		narrow := b.op.grant(b.clock.now().Add(time.Hour))
		narrow.Scope = "openid"
		stored, err := v.Put(b.Context(), "ann", "sso", narrow)
		b.ok(err)
		b.same("kept", stored.Kept.AccessToken, narrow.AccessToken)
		b.same("displaced", stored.Displaced.AccessToken, wide.AccessToken)
		b.same("token", b.fresh(v).AccessToken, narrow.AccessToken)
		b.clock.advance(2 * time.Hour)
		b.fresh(v)
	})
}

// Where the provider cannot be asked, an application's 401 asks for one sign-in, and
// for no other within a quarter of an hour.
func TestDoubted_AProviderThatCannotBeAsked(t *testing.T) {
	onEachStore(t, func(b *bed) {
		var told atomic.Int32
		c := b.config()
		c.Refused = func(context.Context, string, string, time.Time) error { told.Add(1); return nil }
		v := b.open(c)
		put := func(name string, expires time.Time) {
			b.Helper()
			_, err := v.Put(b.Context(), "ann", "sso", provider.Token{AccessToken: name, Scope: "openid", ExpiresAt: expires})
			b.ok(err)
		}
		doubted := func(name string) error { return v.Doubted(b.Context(), "ann", "sso", name, b.ann()) }
		put("one", time.Time{})
		a, err := v.Use(b.Context(), "ann", "sso")
		b.ok(err)
		b.same("endless", a.Endless, true)
		b.clock.advance(14 * time.Minute)
		b.ok(doubted("one"))
		b.clock.advance(time.Minute)
		if err := doubted("one"); !errors.Is(err, vault.ErrNeedsReauth) {
			b.Errorf("a token that is a quarter of an hour old: %v", err)
		}
		if _, err := v.Use(b.Context(), "ann", "sso"); !errors.Is(err, vault.ErrNeedsReauth) {
			b.Errorf("Use: %v", err)
		}
		put("two", time.Time{})
		for range 10 {
			b.clock.advance(time.Minute)
			b.ok(doubted("two"))
		}
		a, err = v.Use(b.Context(), "ann", "sso")
		b.ok(err)
		b.same("token", a.AccessToken, "two")
		// One that expires ends by itself.
		_, err = v.RemoveSubject(b.Context(), "ann")
		b.ok(err)
		put("three", b.clock.now().Add(time.Hour))
		b.clock.advance(30 * time.Minute)
		b.ok(doubted("three"))
		a, err = v.Use(b.Context(), "ann", "sso")
		b.ok(err)
		b.same("token", a.AccessToken, "three")
		b.same("endless", a.Endless, false)
		b.same("told", told.Load(), int32(0))
		b.same("asked the provider", b.op.asked(), 0)
	})
}
