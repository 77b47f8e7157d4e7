package vault_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/provider/local"
	"github.com/gatehouse-auth/gatehouse/flows/vault"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

func jwtExpiring(at time.Time) string {
	b64 := base64.RawURLEncoding.EncodeToString
	return b64([]byte(`{"alg":"none"}`)) + "." + b64(fmt.Appendf(nil, `{"exp":%d}`, at.Unix())) + ".sig"
}

func TestPut_RefreshTokenExpiry(t *testing.T) {
	onEachStore(t, func(b *bed) {
		v := b.vault()
		now := b.clock.now().Truncate(time.Second)
		tests := []struct {
			name  string
			token provider.Token
			want  time.Time
			err   error
		}{
			{"given", provider.Token{RefreshToken: "rt", RefreshExpiresAt: now.Add(time.Hour)}, now.Add(time.Hour), nil},
			{"given, and a JWT", provider.Token{RefreshToken: jwtExpiring(now.Add(3 * time.Hour)), RefreshExpiresAt: now.Add(time.Hour)}, now.Add(time.Hour), nil},
			{"a JWT", provider.Token{RefreshToken: jwtExpiring(now.Add(3 * time.Hour))}, now.Add(3 * time.Hour), nil},
			{"neither", provider.Token{RefreshToken: "rt"}, now.Add(vault.DefaultRefreshLifetime), nil},
			{"none, and no expiry", provider.Token{AccessToken: "at"}, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), nil},
			{"none, and an expiry", provider.Token{AccessToken: "at", ExpiresAt: now.Add(time.Hour)}, now.Add(25 * time.Hour), nil},
			{"none, and expired", provider.Token{AccessToken: "at", ExpiresAt: now.Add(-time.Second)}, time.Time{}, tokenstore.ErrExpired},
			{"nothing at all", provider.Token{}, time.Time{}, tokenstore.ErrInvalid},
			{"expired", provider.Token{RefreshToken: "rt", RefreshExpiresAt: now.Add(-time.Second)}, time.Time{}, tokenstore.ErrExpired},
			{"an expired JWT", provider.Token{RefreshToken: jwtExpiring(now.Add(-time.Hour))}, time.Time{}, tokenstore.ErrExpired},
			{"a JWT for ever", provider.Token{RefreshToken: jwtExpiring(now.AddDate(100_000, 0, 0))}, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), nil},
		}
		for i, tt := range tests {
			subject := fmt.Sprint("user ", i)
			stored, err := v.Put(b.Context(), subject, "sso", tt.token)
			if !errors.Is(err, tt.err) {
				b.Errorf("%s: %v, want %v", tt.name, err, tt.err)
				continue
			}
			if err != nil {
				if _, err := v.Get(b.Context(), subject, "sso"); !errors.Is(err, tokenstore.ErrNotFound) {
					b.Errorf("%s: something was stored: %v", tt.name, err)
				}
				continue
			}
			if off := stored.Kept.RefreshExpiresAt.Sub(tt.want); off < 0 || off > 5*time.Second {
				b.Errorf("%s: expires at %s, want %s", tt.name, stored.Kept.RefreshExpiresAt, tt.want)
			}
		}
	})
}

func TestPut(t *testing.T) {
	onEachStore(t, func(b *bed) {
		v := b.vault()
		first := b.op.grant(b.clock.now().Add(time.Hour))
		stored, err := v.Put(b.Context(), "ann", "sso", first)
		b.ok(err)
		b.same("displaced", stored.Displaced, nil)
		got, err := v.Get(b.Context(), "ann", "sso")
		b.ok(err)
		b.same("access token", got.AccessToken, first.AccessToken)
		b.same("refresh token", got.RefreshToken, first.RefreshToken)
		b.same("provider", got.ProviderName+" "+got.Provider, "sso "+b.op.issuer())
		b.same("client", got.CheckClient("client"), true)
		b.same("scope", got.GetScope(), []string{"openid", "email"})
		if in := got.GetExpiresIn(); in < 59*time.Minute || in > time.Hour {
			b.Errorf("lifetime %s", in)
		}
		byIssuer, err := v.Get(b.Context(), "ann", b.op.issuer())
		b.ok(err)
		b.same("by the issuer", byIssuer.AccessToken, first.AccessToken)

		second := b.op.grant(b.clock.now().Add(time.Hour))
		second.Scope = "openid email profile"
		stored, err = v.Put(b.Context(), "ann", "sso", second)
		b.ok(err)
		b.same("displaced", stored.Displaced.RefreshToken, first.RefreshToken)
		// It can do less than the one that is there.
		stored, err = v.Put(b.Context(), "ann", "sso", first)
		b.ok(err)
		b.same("kept", stored.Kept.RefreshToken, second.RefreshToken)
		b.same("displaced", stored.Displaced.RefreshToken, first.RefreshToken)
		b.drain(v)
		b.same("revoked, which is off by default", b.op.wasRevoked(), []string{})

		for name, put := range map[string]func() (vault.Stored, error){
			"no subject":         func() (vault.Stored, error) { return v.Put(b.Context(), "", "sso", first) },
			"NUL in the subject": func() (vault.Stored, error) { return v.Put(b.Context(), "a\x00b", "sso", first) },
			"UTF-8 in the scope": func() (vault.Stored, error) { s := first; s.Scope = "\xff"; return v.Put(b.Context(), "ann", "sso", s) },
			"an endless subject": func() (vault.Stored, error) { return v.Put(b.Context(), fmt.Sprintf("%4000d", 1), "sso", first) },
		} {
			if _, err := put(); !errors.Is(err, tokenstore.ErrInvalid) {
				b.Errorf("%s: %v", name, err)
			}
		}
		if _, err := v.Put(b.Context(), "ann", "nobody", first); !errors.Is(err, vault.ErrProvider) {
			b.Errorf("unknown provider: %v", err)
		}
	})
}

// A provider's scopes are narrowed: the wider token that is stored goes with the next
// sign-in, unless what it has more is asked for elsewhere.
func TestPut_ScopesThatNobodyAsksFor(t *testing.T) {
	onEachStore(t, func(b *bed) {
		for _, tt := range []struct {
			also  []string
			stays bool
		}{{nil, false}, {[]string{"repo"}, true}} {
			c := b.config()
			c.Sources[0].Scopes = tt.also
			v := b.open(c)
			wide := b.op.grant(b.clock.now().Add(time.Hour))
			wide.Scope = "openid email repo"
			_, err := v.Put(b.Context(), "ann", "sso", wide)
			b.ok(err)
			stored, err := v.Put(b.Context(), "ann", "sso", b.op.grant(b.clock.now().Add(time.Hour)))
			b.ok(err)
			if stays := stored.Kept.RefreshToken == wide.RefreshToken; stays != tt.stays {
				b.Errorf("repo is asked for by %q: the token with it stays: %v", tt.also, stays)
			}
		}
	})
}

func TestList(t *testing.T) {
	onEachStore(t, func(b *bed) {
		v := b.vault()
		const n = 25
		for i := range n {
			_, err := v.Put(b.Context(), fmt.Sprintf("user %02d", i), "sso", b.op.grant(time.Time{}))
			b.ok(err)
		}
		if _, err := v.List(b.Context(), vault.Query{}); !errors.Is(err, tokenstore.ErrInvalid) {
			b.Errorf("a query for nothing: %v", err)
		}
		no := false
		for name, q := range map[string]vault.Query{
			"all": {All: true}, "provider": {Provider: "sso"}, "issuer": {Provider: b.op.issuer()},
			"client": {ClientID: "client"}, "revoked": {Revoked: &no}, "expiry": {ExpiredBefore: b.clock.now().AddDate(1, 0, 0)},
		} {
			q.Limit = 10
			seen := 0
			for {
				page, err := v.List(b.Context(), q)
				b.ok(err)
				for _, token := range page.Tokens {
					b.same(name, token.Subject, fmt.Sprintf("user %02d", seen))
					b.ok(token.Err)
					seen++
				}
				if page.Next == nil {
					break
				}
				q.After = *page.Next
			}
			b.same("listed by "+name, seen, n)
		}
		page, err := v.List(b.Context(), vault.Query{Subject: "user 07"})
		b.ok(err)
		b.same("of a subject", len(page.Tokens), 1)
	})
}

func TestRemove(t *testing.T) {
	onEachStore(t, func(b *bed) {
		v := b.vault()
		put := func(subject string) provider.Token {
			b.Helper()
			token := b.op.grant(time.Time{})
			_, err := v.Put(b.Context(), subject, "sso", token)
			b.ok(err)
			return token
		}
		var want []string
		gone := func(how string, removed []vault.Token, err error, token provider.Token) {
			b.Helper()
			b.ok(err)
			if len(removed) != 1 || removed[0].RefreshToken != token.RefreshToken || removed[0].AccessToken != token.AccessToken {
				b.Fatalf("removed by %s: %v", how, removed)
			}
			b.drain(v)
			want = append(want, "refresh_token "+token.RefreshToken, "access_token "+token.AccessToken)
			b.same("revoked, removed by "+how, b.op.wasRevoked(), want)
		}
		put("somebody else")
		ann := put("ann")
		removed, err := v.RemoveAccess(b.Context(), ann.AccessToken)
		gone("access token", removed, err, ann)
		ann = put("ann")
		removed, err = v.RemoveRefresh(b.Context(), ann.RefreshToken)
		gone("refresh token", removed, err, ann)
		ann = put("ann")
		removed, err = v.RemoveSubject(b.Context(), "ann")
		gone("user", removed, err, ann)
		ann = put("ann")
		removed, err = v.Remove(b.Context(), vault.Query{Subject: "ann", Provider: "sso", ClientID: "client"})
		gone("query", removed, err, ann)
		// No match is no error, and nothing is asked for is.
		removed, err = v.RemoveAccess(b.Context(), ann.RefreshToken)
		b.ok(err)
		b.same("a refresh token is no access token", len(removed), 0)
		byValue := b.signIn(v)
		for _, token := range []string{byValue.AccessToken, byValue.RefreshToken} {
			_, err := v.Put(b.Context(), "ann", "sso", byValue)
			b.ok(err)
			removed, err := v.RemoveValue(b.Context(), token)
			b.ok(err)
			b.same("removed by value", len(removed), 1)
		}
		for name, remove := range map[string]func() ([]vault.Token, error){
			"access token":  func() ([]vault.Token, error) { return v.RemoveAccess(b.Context(), "") },
			"refresh token": func() ([]vault.Token, error) { return v.RemoveRefresh(b.Context(), "") },
			"subject":       func() ([]vault.Token, error) { return v.RemoveSubject(b.Context(), "") },
			"query":         func() ([]vault.Token, error) { return v.Remove(b.Context(), vault.Query{}) },
		} {
			if _, err := remove(); !errors.Is(err, tokenstore.ErrInvalid) {
				b.Errorf("an empty %s: %v", name, err)
			}
		}
		if _, err := v.Get(b.Context(), "somebody else", "sso"); err != nil {
			b.Errorf("somebody else's: %v", err)
		}
		b.same("counted", v.Stats().Revoked, 4)
	})
}

// A provider that is down when a token is removed is told later.
func TestRemove_ProviderIsToldLater(t *testing.T) {
	onEachStore(t, func(b *bed) {
		v := b.vault()
		token := b.signIn(v)
		b.op.do(func(o *op) {
			o.revoker = func(w http.ResponseWriter) bool { w.WriteHeader(http.StatusServiceUnavailable); return true }
		})
		_, err := v.RemoveSubject(b.Context(), "ann")
		b.ok(err)
		for range 5 {
			b.drain(v)
			b.clock.advance(time.Minute)
		}
		b.same("revoked", b.op.wasRevoked(), []string{})
		b.op.do(func(o *op) { o.revoker = nil })
		b.clock.advance(time.Hour)
		b.drain(v)
		b.same("revoked", b.op.wasRevoked(), []string{"refresh_token " + token.RefreshToken, "access_token " + token.AccessToken})
		b.clock.advance(time.Hour)
		b.drain(v)
		b.same("once", len(b.op.wasRevoked()), 2)
	})
}

func TestNew_Refuses(t *testing.T) {
	onEachStore(t, func(b *bed) {
		for name, change := range map[string]func(*vault.Config){
			"no store":         func(c *vault.Config) { c.Store = nil },
			"no keyring":       func(c *vault.Config) { c.Keyring = nil },
			"no clock":         func(c *vault.Config) { c.Now = nil },
			"no logger":        func(c *vault.Config) { c.Logger = nil },
			"no provider":      func(c *vault.Config) { c.Sources[0].Provider = nil },
			"a provider twice": func(c *vault.Config) { c.Sources = append(c.Sources, c.Sources[0]) },
			"a negative time":  func(c *vault.Config) { c.LeaseWait = -1 },
		} {
			c := b.config()
			change(&c)
			if _, err := vault.New(c); err == nil {
				b.Errorf("%s is accepted", name)
			}
		}
	})
}

// A provider without refresh tokens is refused nothing but a refresh.
func TestFresh_NothingToRefreshWith(t *testing.T) {
	onEachStore(t, func(b *bed) {
		p, err := local.New(local.Config{Name: "local", Now: b.clock.now})
		b.ok(err)
		c := b.config()
		c.Sources = []vault.Source{{Provider: p, ClientID: "client"}}
		v := b.open(c)
		_, err = v.Put(b.Context(), "ann", "local", provider.Token{AccessToken: "at", RefreshToken: "rt"})
		b.ok(err)
		_, err = v.Fresh(b.Context(), "ann", "local", 0)
		b.ok(err)
		b.clock.advance(time.Hour)
		if _, err := v.Fresh(b.Context(), "ann", "local", 0); !errors.Is(err, vault.ErrNeedsReauth) {
			b.Errorf("got %v", err)
		}
	})
}

// A token of a former client_id cannot be refreshed by this one: it does not withstand
// a new sign-in, although it has more scopes (it did, and was 502 for ever).
func TestPut_AnotherClientsTokenDoesNotStay(t *testing.T) {
	onEachStore(t, func(b *bed) {
		c := b.config()
		c.Sources[0].Provider = b.provider("sso", "former client")
		wide := b.op.grant(b.clock.now().Add(time.Hour))
		wide.Scope = "openid email admin"
		_, err := b.open(c).Put(b.Context(), "ann", "sso", wide)
		b.ok(err)
		v := b.vault()
		_, err = v.Put(b.Context(), "ann", "sso", b.op.grant(b.clock.now().Add(time.Hour)))
		b.ok(err)
		b.same("scope", b.row().Scope, "openid email")
		b.clock.advance(2 * time.Hour)
		_, err = v.Fresh(b.Context(), "ann", "sso", 0)
		b.ok(err)
	})
}

// Once the configured scopes are fewer, a token with more does not withstand the next
// sign-in; what a site or a client asks for counts as configured.
func TestPut_ScopesThatNobodyAsksForAnyMore(t *testing.T) {
	onEachStore(t, func(b *bed) {
		c := b.config()
		c.Sources[0].Scopes = []string{"repo"}
		wide := b.op.grant(b.clock.now().Add(time.Hour))
		wide.Scope = "openid email repo"
		v := b.open(c)
		_, err := v.Put(b.Context(), "ann", "sso", wide)
		b.ok(err)
		_, err = v.Put(b.Context(), "ann", "sso", b.op.grant(b.clock.now().Add(time.Hour)))
		b.ok(err)
		b.same("scope while a site asks for it", b.row().Scope, "openid email repo")
		_, err = b.vault().Put(b.Context(), "ann", "sso", b.op.grant(b.clock.now().Add(time.Hour)))
		b.ok(err)
		b.same("scope when nobody does", b.row().Scope, "openid email")
	})
}
