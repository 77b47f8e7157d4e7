package vault_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/vault"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// awayStore is a store that goes away and comes back.
type awayStore struct {
	tokenstore.ProviderTokens
	away     atomic.Bool
	failures atomic.Int32
}

func (s *awayStore) isAway() bool {
	if s.away.Load() {
		s.failures.Add(1)
		return true
	}
	return false
}

func (s *awayStore) ProviderToken(ctx context.Context, subject, provider string) (tokenstore.ProviderToken, error) {
	if s.isAway() {
		return tokenstore.ProviderToken{}, tokenstore.ErrUnavailable
	}
	return s.ProviderTokens.ProviderToken(ctx, subject, provider)
}

func (s *awayStore) UpdateProviderToken(ctx context.Context, t tokenstore.ProviderToken) (tokenstore.ProviderToken, error) {
	if s.isAway() {
		return tokenstore.ProviderToken{}, tokenstore.ErrUnavailable
	}
	return s.ProviderTokens.UpdateProviderToken(ctx, t)
}

func (s *awayStore) LeaseProviderToken(ctx context.Context, subject, provider string, version int64, owner string, d time.Duration) (tokenstore.ProviderToken, error) {
	if s.isAway() {
		return tokenstore.ProviderToken{}, tokenstore.ErrUnavailable
	}
	return s.ProviderTokens.LeaseProviderToken(ctx, subject, provider, version, owner, d)
}

// goesAway has the store go away while the provider is asked.
func (b *bed) goesAway(c *vault.Config) *awayStore {
	store := &awayStore{ProviderTokens: c.Store}
	c.Store = store
	b.op.do(func(o *op) {
		o.before = func(http.ResponseWriter) bool {
			o.do(func(o *op) { o.before = nil })
			store.away.Store(true)
			return false
		}
	})
	return store
}

// The refresh token was spent: the fresh one is kept until the store is back, and
// its caller does not wait for that.
func TestSave_OutlastsTheStoresAbsence(t *testing.T) {
	onEachStore(t, func(b *bed) {
		c := b.config()
		b.signIn(b.vault())
		store := b.goesAway(&c)
		v := b.open(c)
		b.clock.advance(2 * time.Hour)
		fresh := b.fresh(v)
		if store.failures.Load() == 0 {
			b.Fatal("the store was not away")
		}
		store.away.Store(false)
		settle(v)
		got, err := v.Get(b.Context(), "ann", "sso")
		b.ok(err)
		b.same("access token", got.AccessToken, fresh.AccessToken)
		b.same("lost", v.Stats().Lost, 0)
		b.clock.advance(2 * time.Hour)
		b.fresh(v) // by the rotated refresh token
		b.same("marked", b.row().NeedsReauth, false)
	})
}

// A token that is lost all the same is counted and logged, once.
func TestSave_IsLostWhenTheStoreStaysAway(t *testing.T) {
	onEachStore(t, func(b *bed) {
		c := b.config()
		var counted atomic.Int32
		c.Counted = func(_, result string) {
			if result == "lost" {
				counted.Add(1)
			}
		}
		b.signIn(b.vault())
		b.goesAway(&c)
		v := b.open(c)
		v.SetLaterFor(50 * time.Millisecond)
		b.clock.advance(2 * time.Hour)
		b.fresh(v)
		settle(v)
		b.same("lost", v.Stats().Lost, 1)
		b.same("counted", counted.Load(), 1)
		if logs := b.logs.String(); strings.Count(logs, "could not be stored") != 1 || strings.Contains(logs, "in-clear") {
			b.Errorf("logged %s", logs)
		}
	})
}

// What a provider has refused without doubt is told although the store was away
// at that moment.
func TestRecheck_ARefusalIsToldWhenTheStoreIsBack(t *testing.T) {
	onEachStore(t, func(b *bed) {
		c := b.config()
		var told atomic.Int32
		c.Refused = func(context.Context, string, string, time.Time) error { told.Add(1); return nil }
		first := b.signIn(b.vault())
		store := b.goesAway(&c)
		v := b.open(c)
		b.clock.advance(2 * time.Hour)
		b.op.do(func(o *op) { delete(o.live, first.RefreshToken) })
		b.refuses(v, tokenstore.ErrUnavailable)
		b.same("told", told.Load(), 0)
		store.away.Store(false)
		settle(v)
		b.same("owner", b.row().LeaseOwner, "")
		b.clock.advance(time.Minute)
		b.refuses(v, vault.ErrNeedsReauth)
		b.same("told", told.Load(), 1)
	})
}
