package vault_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/vault"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

func (b *bed) fresh(v *vault.Vault) vault.Access {
	b.Helper()
	a, err := v.Fresh(b.Context(), "ann", "sso", 0)
	b.ok(err)
	return a
}

func (b *bed) refuses(v *vault.Vault, want error) {
	b.Helper()
	_ = b.refusal(v, want)
}

// refusal is why there is no fresh token.
func (b *bed) refusal(v *vault.Vault, want error) error {
	b.Helper()
	a, err := v.Fresh(b.Context(), "ann", "sso", 0)
	if !errors.Is(err, want) {
		b.Fatalf("Fresh: %v, %v; want %v", a.AccessToken, err, want)
	}
	return err
}

func TestFresh_RotatesAndWritesBack(t *testing.T) {
	onEachStore(t, func(b *bed) {
		v := b.vault()
		first := b.signIn(v)
		b.same("an access token that is good", b.fresh(v).AccessToken, first.AccessToken)
		b.same("asked for nothing", b.op.asked(), 0)
		b.clock.advance(59*time.Minute + 30*time.Second)
		second := b.fresh(v)
		if second.AccessToken == first.AccessToken || second.ExpiresAt.Before(b.clock.now().Add(59*time.Minute)) {
			b.Fatalf("not fresh: %q until %s", second.AccessToken, second.ExpiresAt)
		}
		b.same("kept", b.fresh(v).AccessToken, second.AccessToken)
		b.same("asked once", b.op.asked(), 1)
		// The rotated refresh token was written back: it works.
		for range 3 {
			b.clock.advance(2 * time.Hour)
			b.fresh(v)
		}
		b.same("asked", b.op.asked(), 4)
		row := b.row()
		b.same("scope that was not told again", row.Scope, "openid email")
		b.same("lease", row.LeaseOwner, "")
		// An expiry that nobody knows is put off by each refresh.
		if left := row.RefreshExpiresAt.Sub(b.clock.now()); left < vault.DefaultRefreshLifetime-time.Minute {
			b.Errorf("the refresh token expires in %s", left)
		}
	})
}

func TestFresh_MinimumTimeLeft(t *testing.T) {
	onEachStore(t, func(b *bed) {
		v := b.vault()
		b.signIn(v)
		b.clock.advance(20 * time.Minute) // 40 are left
		for _, tt := range []struct {
			minLeft time.Duration
			asked   int
		}{
			{30 * time.Minute, 0},
			{50 * time.Minute, 1},  // of a token that lives for 60
			{100 * time.Minute, 1}, // none lives so long: what was just made will do
		} {
			_, err := v.Fresh(b.Context(), "ann", "sso", tt.minLeft)
			b.ok(err)
			b.same("asked for "+tt.minLeft.String(), b.op.asked(), tt.asked)
		}
	})
}

func TestFresh_RefreshTokenIsNotToldAgain(t *testing.T) {
	onEachStore(t, func(b *bed) {
		v := b.vault()
		first := b.signIn(v)
		b.op.do(func(o *op) { o.keep = true })
		for range 3 {
			b.clock.advance(2 * time.Hour)
			b.fresh(v)
		}
		got, err := v.Get(b.Context(), "ann", "sso")
		b.ok(err)
		b.same("refresh token", got.RefreshToken, first.RefreshToken)
		b.same("asked", b.op.asked(), 3)
	})
}

func TestFresh_InvalidGrantNeedsTheUser(t *testing.T) {
	onEachStore(t, func(b *bed) {
		v := b.vault()
		first := b.signIn(v)
		b.op.do(func(o *op) { delete(o.live, first.RefreshToken) })
		b.clock.advance(2 * time.Hour)
		b.refuses(v, vault.ErrNeedsReauth)
		b.refuses(v, vault.ErrNeedsReauth)
		b.same("asked once, not again", b.op.asked(), 1)
		b.same("marked", b.row().NeedsReauth, true)
		b.same("counted", v.Stats().NeedsReauth, 1)
		// Signing in again mends it.
		second := b.signIn(v)
		b.same("after signing in", b.fresh(v).AccessToken, second.AccessToken)
	})
}

// A node dies after the provider has spent the refresh token and before the new
// one is written: it is lost, and that is noticed.
func TestFresh_CrashBeforeWritingBack(t *testing.T) {
	onEachStore(t, func(b *bed) {
		first := b.signIn(b.vault())
		b.clock.advance(2 * time.Hour)
		row := b.row()
		_, err := b.store.LeaseProviderToken(b.Context(), row.Subject, row.Provider, row.Version, "the node that dies", 15*time.Second)
		b.ok(err)
		_, err = b.provider("sso", "client").Refresh(b.Context(), first.RefreshToken, nil)
		b.ok(err)
		// Another node waits for the lease to end.
		c := b.config()
		c.LeaseWait = 300 * time.Millisecond
		v := b.open(c)
		b.refuses(v, provider.ErrUnavailable)
		b.clock.advance(16 * time.Second)
		b.refuses(v, vault.ErrNeedsReauth)
		b.same("marked", b.row().NeedsReauth, true)
	})
}

func TestFresh_ProviderFails(t *testing.T) {
	onEachStore(t, func(b *bed) {
		v := b.vault()
		first := b.signIn(v)
		b.op.do(func(o *op) { o.status = 500 })
		b.clock.advance(59*time.Minute + 30*time.Second)
		b.same("the old one while it is valid", b.fresh(v).AccessToken, first.AccessToken)
		b.same("asked", b.op.asked(), 1)
		b.same("no second time in the pause", b.fresh(v).AccessToken, first.AccessToken)
		b.same("asked", b.op.asked(), 1)
		b.clock.advance(time.Minute)
		err := b.refusal(v, provider.ErrUnavailable)
		var unavailable *vault.UnavailableError
		if !errors.As(err, &unavailable) || unavailable.RetryAfter < time.Second || unavailable.RetryAfter > 3*time.Second {
			b.Errorf("no second pause in %v", err)
		}
		b.same("asked", b.op.asked(), 2)
		b.op.do(func(o *op) { o.status = 0 })
		b.refuses(v, provider.ErrUnavailable)
		b.same("asked", b.op.asked(), 2)
		b.clock.advance(unavailable.RetryAfter)
		b.fresh(v)
		b.same("asked", b.op.asked(), 3)
		b.same("marked", b.row().NeedsReauth, false)
	})
}

func TestFresh_ProviderIsDown(t *testing.T) {
	onEachStore(t, func(b *bed) {
		v := b.vault()
		b.signIn(v)
		b.clock.advance(2 * time.Hour)
		b.op.server.Close()
		for range 8 { // the pause grows, and no further than a minute
			var unavailable *vault.UnavailableError
			if !errors.As(b.refusal(v, provider.ErrUnavailable), &unavailable) || unavailable.RetryAfter > 70*time.Second {
				b.Fatalf("pause of %v", unavailable)
			}
			b.clock.advance(unavailable.RetryAfter)
		}
		b.same("marked", b.row().NeedsReauth, false)
		b.same("failures", v.Stats().RefreshFailed, 8)
	})
}

// A provider that does not answer holds nobody longer than RefreshTimeout, and
// the lease ends with it.
func TestFresh_ProviderIsSlow(t *testing.T) {
	onEachStore(t, func(b *bed) {
		release := make(chan struct{})
		b.op.do(func(o *op) { o.before = func(http.ResponseWriter) bool { <-release; return false } })
		c := b.config()
		c.RefreshTimeout = 2 * time.Second // the second caller must come before it is over
		v := b.open(c)
		b.signIn(v)
		b.clock.advance(2 * time.Hour)
		// Whoever gives up waiting fails alone.
		impatient, cancel := context.WithTimeout(b.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := v.Fresh(impatient, "ann", "sso", 0); !errors.Is(err, context.DeadlineExceeded) {
			b.Errorf("an impatient caller got %v", err)
		}
		b.refuses(v, provider.ErrUnavailable)
		b.same("asked", b.op.asked(), 1)
		close(release)
		b.op.do(func(o *op) { o.before, o.live[""] = nil, false })
		other := b.vault()
		if _, err := other.Fresh(b.Context(), "ann", "sso", 0); err != nil && !errors.Is(err, vault.ErrNeedsReauth) {
			b.Errorf("the lease goes on: %v", err)
		}
	})
}

// crowd is many callers at each of several nodes, in step.
func (b *bed) crowd(nodes []*vault.Vault, each int) {
	b.Helper()
	var start, all sync.WaitGroup
	start.Add(1)
	tokens := make(chan string, len(nodes)*each)
	for _, v := range nodes {
		for range each {
			all.Go(func() {
				start.Wait()
				a, err := v.Fresh(b.Context(), "ann", "sso", 0)
				if err != nil {
					b.Error(err)
				}
				tokens <- a.AccessToken
			})
		}
	}
	start.Done()
	all.Wait()
	close(tokens)
	want := b.fresh(nodes[0]).AccessToken
	for got := range tokens {
		b.same("token", got, want)
	}
}

func TestFresh_OneRefreshForAll(t *testing.T) {
	onEachStore(t, func(b *bed) {
		c := b.config()
		store := &watchedStore{ProviderTokens: c.Store}
		c.Store, c.LeaseWait = store, time.Minute
		nodes := []*vault.Vault{b.open(c), b.open(c)}
		b.signIn(nodes[0])
		const each = 16
		// The provider answers when all have seen the old token.
		slowly := func(http.ResponseWriter) bool {
			for deadline := time.Now().Add(20 * time.Second); store.looks.Load() < 2*each; time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					b.Error("not all came to look")
					break
				}
			}
			return false
		}
		b.op.do(func(o *op) { o.before = slowly })
		for round := range 5 {
			b.clock.advance(2 * time.Hour)
			store.looks.Store(0)
			b.crowd(nodes, each)
			b.same("refreshes", b.op.asked(), round+1)
		}
		b.same("marked", b.row().NeedsReauth, false)
	})
}

// Who was refused with a refresh token that somebody else has replaced uses
// the new one, and marks nothing.
func TestFresh_RefusedWithAnOldOne(t *testing.T) {
	onEachStore(t, func(b *bed) {
		v := b.vault()
		b.signIn(v)
		b.clock.advance(2 * time.Hour)
		var again provider.Token
		b.op.do(func(o *op) {
			o.before = func(w http.ResponseWriter) bool {
				o.do(func(o *op) { o.before = nil })
				again = b.signIn(v)
				w.WriteHeader(http.StatusBadRequest)
				_, _ = w.Write([]byte(`{"error":"invalid_grant"}`))
				return true
			}
		})
		b.same("token", b.fresh(v).AccessToken, again.AccessToken)
		b.same("marked", b.row().NeedsReauth, false)
	})
}

// A token that was removed while it was refreshed does not come back, and what
// the provider gave is revoked.
func TestFresh_RemovedMeanwhile(t *testing.T) {
	onEachStore(t, func(b *bed) {
		v := b.vault()
		b.signIn(v)
		b.clock.advance(2 * time.Hour)
		b.op.do(func(o *op) {
			o.before = func(http.ResponseWriter) bool {
				if _, err := v.RemoveSubject(b.Context(), "ann"); err != nil {
					b.Error(err)
				}
				return false
			}
		})
		b.refuses(v, tokenstore.ErrNotFound)
		b.drain(v)
		left := 0
		b.op.do(func(o *op) { left = len(o.live) })
		b.same("refresh tokens that are still good at the provider", left, 0)
	})
}

func TestFresh_Refusals(t *testing.T) {
	onEachStore(t, func(b *bed) {
		v := b.vault()
		if _, err := v.Fresh(b.Context(), "ann", "nobody", 0); !errors.Is(err, vault.ErrProvider) {
			b.Errorf("unknown provider: %v", err)
		}
		b.refuses(v, tokenstore.ErrNotFound)
		b.signIn(v)
		// Another client id must not even try: the token was issued to the old one.
		c := b.config()
		c.Sources[0].Provider = b.provider("sso", "another client")
		other := b.open(c)
		b.fresh(other) // while the access token is good
		b.clock.advance(2 * time.Hour)
		b.refuses(other, vault.ErrNeedsReauth)
		b.same("asked", b.op.asked(), 0)
		b.clock.advance(vault.DefaultRefreshLifetime)
		b.refuses(v, vault.ErrNeedsReauth)
		b.same("asked", b.op.asked(), 0)
	})
}
