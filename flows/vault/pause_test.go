package vault_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/vault"
)

// What a provider has against one user's token is no reason for another to wait:
// only a provider that is down, or asks for patience, is left alone by all.
func TestFresh_ARefusedTokenIsPausedAlone(t *testing.T) {
	for _, tt := range []struct {
		refusal
		alone bool
	}{
		{refusal{400, "invalid_scope"}, true},
		{refusal{400, "unauthorized_client"}, true},
		{refusal{401, "invalid_client"}, true},
		{refusal{403, ""}, true},
		{refusal{408, ""}, false},
		{refusal{429, ""}, false},
		{refusal{400, "temporarily_unavailable"}, false},
		{refusal{502, ""}, false},
	} {
		t.Run(fmt.Sprint(tt.status, tt.code), func(t *testing.T) {
			onEachStore(t, func(b *bed) {
				v := b.vault()
				b.signIn(v) // ann
				granted := b.op.grant(b.clock.now().Add(time.Hour))
				_, err := v.Put(b.Context(), "bob", "sso", granted)
				b.ok(err)
				b.op.do(func(o *op) { o.refused = map[string]refusal{granted.RefreshToken: tt.refusal} })
				b.clock.advance(2 * time.Hour)
				bob := func() *vault.UnavailableError {
					b.Helper()
					_, err := v.Fresh(b.Context(), "bob", "sso", 0)
					var away *vault.UnavailableError
					if !errors.As(err, &away) || !errors.Is(err, provider.ErrUnavailable) {
						b.Fatalf("bob: %v", err)
					}
					return away
				}
				first := bob()
				for range 20 {
					_ = bob()
				}
				b.same("asked", b.op.asked(), 1)
				if !tt.alone {
					b.refuses(v, provider.ErrUnavailable)
					return
				}
				b.fresh(v)
				b.clock.advance(first.RetryAfter)
				if second := bob(); second.RetryAfter < first.RetryAfter*3/2 {
					b.Errorf("the pause is %v after %v", second.RetryAfter, first.RetryAfter)
				}
				b.same("asked", b.op.asked(), 3)
				// A sign-in gives another token, which nothing is known against.
				_, err = v.Put(b.Context(), "bob", "sso", b.op.grant(b.clock.now().Add(time.Second)))
				b.ok(err)
				b.clock.advance(time.Second)
				_, err = v.Fresh(b.Context(), "bob", "sso", 0)
				b.ok(err)
			})
		})
	}
}
