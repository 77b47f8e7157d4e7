package vault_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/vault"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// watchedStore counts the looks at provider tokens, and does not answer when it
// is told so.
type watchedStore struct {
	tokenstore.ProviderTokens
	looks atomic.Int32
	down  atomic.Bool
}

func (w *watchedStore) ProviderToken(ctx context.Context, subject, provider string) (tokenstore.ProviderToken, error) {
	w.looks.Add(1)
	if w.down.Load() {
		return tokenstore.ProviderToken{}, tokenstore.ErrUnavailable
	}
	return w.ProviderTokens.ProviderToken(ctx, subject, provider)
}

// watched is a vault whose looks at the store are counted.
func (b *bed) watched() (*vault.Vault, *watchedStore) {
	b.Helper()
	c := b.config()
	store := &watchedStore{ProviderTokens: c.Store}
	c.Store = store
	return b.open(c), store
}

func (b *bed) used(v *vault.Vault) string {
	b.Helper()
	a, err := v.Use(b.Context(), "ann", "sso")
	b.ok(err)
	return a.AccessToken
}

// settle waits for what a vault does in the background.
func settle(v *vault.Vault) {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	v.Run(ended)
}

// eventually waits for a condition that background work brings about.
func (b *bed) eventually(what string, done func() bool) {
	b.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); {
		if time.Now().After(deadline) {
			b.Fatalf("%s: not in time", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestUse_CostsNothingWhileTheTokenIsGood(t *testing.T) {
	onEachStore(t, func(b *bed) {
		v, store := b.watched()
		first := b.signIn(v)
		b.same("the first use", b.used(v), first.AccessToken)
		store.looks.Store(0)
		for range 1000 {
			b.same("a warm use", b.used(v), first.AccessToken)
		}
		b.same("looks at the store", store.looks.Load(), 0)

		// After half a minute of use the row is looked at in the background,
		// once; after a minute without use, before the next.
		b.clock.advance(40 * time.Second)
		for range 100 {
			b.used(v)
		}
		b.eventually("a look in the background", func() bool { return store.looks.Load() == 1 })
		settle(v)
		b.clock.advance(2 * time.Minute)
		// The look before may take its leave still, and then serves a use more.
		b.eventually("a look before the next use", func() bool { b.used(v); return store.looks.Load() == 2 })
		b.same("asked the provider", b.op.asked(), 0)
	})
}

func TestUse_RefreshesAheadInTheBackground(t *testing.T) {
	onEachStore(t, func(b *bed) {
		v, _ := b.watched()
		first := b.signIn(v)
		b.clock.advance(58 * time.Minute)
		b.same("with two minutes left", b.used(v), first.AccessToken)
		release := make(chan struct{})
		b.op.do(func(o *op) { o.before = func(http.ResponseWriter) bool { <-release; return false } })
		b.clock.advance(45 * time.Second) // 75 s are left: nobody waits yet
		for range 100 {
			b.same("while it is refreshed", b.used(v), first.AccessToken)
		}
		close(release)
		b.eventually("the fresh one", func() bool { return b.used(v) != first.AccessToken })
		b.same("asked", b.op.asked(), 1)
	})
}

func TestUse_OneRefreshForACrowd(t *testing.T) {
	onEachStore(t, func(b *bed) {
		v, store := b.watched()
		b.signIn(v)
		b.used(v)
		b.clock.advance(2 * time.Hour)
		store.looks.Store(0)
		var crowd sync.WaitGroup
		for range 64 {
			crowd.Go(func() { b.used(v) })
		}
		crowd.Wait()
		b.same("asked", b.op.asked(), 1)
		if looks := store.looks.Load(); looks > 5 {
			b.Errorf("%d looks at the store for one user", looks)
		}
	})
}

func TestUse_WhatWasRemovedIsUsedNoMore(t *testing.T) {
	onEachStore(t, func(b *bed) {
		v, _ := b.watched()
		other := b.vault() // of another node
		b.signIn(v)
		b.used(v)
		gone := func(doing string) {
			b.Helper()
			if _, err := v.Use(b.Context(), "ann", "sso"); !errors.Is(err, tokenstore.ErrNotFound) {
				b.Errorf("%s: %v", doing, err)
			}
		}
		_, err := v.RemoveSubject(b.Context(), "ann")
		b.ok(err)
		gone("removed by this node")

		b.signIn(v)
		b.used(v)
		_, err = other.RemoveSubject(b.Context(), "ann")
		b.ok(err)
		v.Forget("ann")
		gone("removed by another node and announced")

		b.signIn(v)
		b.used(v)
		_, err = other.RemoveSubject(b.Context(), "ann")
		b.ok(err)
		v.Doubt()
		gone("removed while announcements were missed")

		b.signIn(v)
		b.used(v)
		_, err = other.RemoveSubject(b.Context(), "ann")
		b.ok(err)
		b.clock.advance(61 * time.Second)
		gone("removed and never announced")
	})
}

// A look that began before a removal was announced must not bring the token
// back.
func TestUse_ALateLookBringsNothingBack(t *testing.T) {
	onEachStore(t, func(b *bed) {
		c := b.config()
		store := &slowStore{ProviderTokens: c.Store, entered: make(chan struct{}, 1), release: make(chan struct{})}
		c.Store = store
		v, other := b.open(c), b.vault()
		b.signIn(other)
		asked := make(chan struct{})
		go func() {
			defer close(asked)
			_, _ = v.Use(context.WithoutCancel(b.Context()), "ann", "sso")
		}()
		<-store.entered
		_, err := other.RemoveSubject(b.Context(), "ann")
		b.ok(err)
		v.Forget("ann")
		close(store.release)
		<-asked
		if _, err := v.Use(b.Context(), "ann", "sso"); !errors.Is(err, tokenstore.ErrNotFound) {
			b.Errorf("after the removal: %v", err)
		}
	})
}

// slowStore keeps its first answer back.
type slowStore struct {
	tokenstore.ProviderTokens
	once    sync.Once
	entered chan struct{}
	release chan struct{}
}

func (s *slowStore) ProviderToken(ctx context.Context, subject, provider string) (tokenstore.ProviderToken, error) {
	row, err := s.ProviderTokens.ProviderToken(ctx, subject, provider)
	s.once.Do(func() {
		s.entered <- struct{}{}
		<-s.release
	})
	return row, err
}

func TestUse_AStoreThatIsDownTakesNothingAway(t *testing.T) {
	onEachStore(t, func(b *bed) {
		v, store := b.watched()
		first := b.signIn(v)
		b.used(v)
		store.down.Store(true)
		v.Doubt()
		b.same("at once", b.used(v), first.AccessToken)
		b.clock.advance(5 * time.Minute)
		b.same("after five minutes", b.used(v), first.AccessToken)
		store.looks.Store(0)
		for range 100 {
			b.used(v)
		}
		b.same("looks at a store that is down", store.looks.Load(), 0)
		b.clock.advance(6 * time.Minute)
		if _, err := v.Use(b.Context(), "ann", "sso"); !errors.Is(err, tokenstore.ErrUnavailable) {
			b.Errorf("after eleven minutes: %v", err)
		}
		store.down.Store(false)
		b.same("when it is back", b.used(v), first.AccessToken)
	})
}

// A token that is valid is used to its end while its provider is down.
func TestUse_AProviderThatIsDown(t *testing.T) {
	onEachStore(t, func(b *bed) {
		v, _ := b.watched()
		first := b.signIn(v)
		b.used(v)
		b.op.do(func(o *op) { o.status = http.StatusServiceUnavailable })
		b.clock.advance(59*time.Minute + 20*time.Second)
		b.same("with forty seconds left", b.used(v), first.AccessToken)
		b.clock.advance(time.Minute)
		var down *vault.UnavailableError
		if _, err := v.Use(b.Context(), "ann", "sso"); !errors.As(err, &down) {
			b.Errorf("when it has expired: %v", err)
		}
		b.op.do(func(o *op) { o.status = 0 })
		b.clock.advance(5 * time.Minute)
		if b.used(v) == first.AccessToken {
			b.Error("not fresh when the provider is back")
		}
	})
}
