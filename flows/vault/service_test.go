package vault_test

import (
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/vault"
)

// However many want the gateway's own token, the provider is asked once for each set of
// scopes, and again in time.
func TestServices_OneRequestForAll(t *testing.T) {
	b := newBed(t)
	p := b.provider("sso", "client")
	s := vault.NewServices(b.clock.now)
	use := func(scope ...string) string {
		t.Helper()
		a, err := s.Use(b.Context(), p, scope...)
		b.ok(err)
		return a.AccessToken
	}
	tokens := make([]string, 50)
	var all sync.WaitGroup
	for i := range tokens {
		all.Go(func() {
			a, _ := s.Use(b.Context(), p)
			tokens[i] = a.AccessToken
		})
	}
	all.Wait()
	for _, got := range tokens {
		b.same("token", got, tokens[0])
	}
	b.same("requests", b.op.asked(), 1)
	if first, other := use("repo"), use("repo"); first == tokens[0] || first != other {
		t.Errorf("with a scope it is %q, then %q", first, other)
	}
	b.same("requests", b.op.asked(), 2)

	// In the last tenth of its life it is had anew, and nobody waits for that.
	b.clock.advance(9*time.Minute + 5*time.Second)
	b.same("while it is renewed", use(), tokens[0])
	for deadline := time.Now().Add(30 * time.Second); use() == tokens[0]; {
		if time.Now().After(deadline) {
			t.Fatal("it was not renewed")
		}
	}
	b.same("requests", b.op.asked(), 3)
	b.clock.advance(time.Hour)
	use()
	b.same("requests", b.op.asked(), 4)
}

// A provider that is down is not asked by each request, and what is still valid is used.
func TestServices_ProviderDown(t *testing.T) {
	b := newBed(t)
	p := b.provider("sso", "client")
	s := vault.NewServices(b.clock.now)
	b.op.do(func(o *op) { o.status = http.StatusServiceUnavailable })
	for range 5 {
		_, err := s.Use(b.Context(), p)
		var away *vault.UnavailableError
		if !errors.As(err, &away) || !errors.Is(err, provider.ErrUnavailable) || away.RetryAfter <= 0 {
			t.Fatalf("while it is down: %v", err)
		}
	}
	b.same("requests", b.op.asked(), 1)
	b.op.do(func(o *op) { o.status = 0 })
	b.clock.advance(6 * time.Second)
	was, err := s.Use(b.Context(), p)
	b.ok(err)
	b.op.do(func(o *op) { o.status = http.StatusServiceUnavailable })
	b.clock.advance(9*time.Minute + 5*time.Second)
	for range 20 {
		a, err := s.Use(b.Context(), p)
		b.ok(err)
		b.same("while it is valid", a.AccessToken, was.AccessToken)
	}
}
