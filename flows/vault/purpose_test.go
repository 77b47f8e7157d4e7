package vault_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/vault"
)

// wants asks for ann's token for a purpose, and wants that to fail.
func (b *bed) wants(v *vault.Vault, want vault.Want, as error) {
	b.Helper()
	if _, err := v.Obtain(b.Context(), "ann", "sso", want); !errors.Is(err, as) {
		b.Errorf("%+v: %v, want %v", want, err, as)
	}
}

// What a provider has against a resource or a scope is not about the grant: no session
// ends, and the token itself can be refreshed. Entra ID answers invalid_grant, and
// others consent_required or interaction_required, for what nobody has consented to:
// https://learn.microsoft.com/en-us/entra/identity-platform/reference-error-codes
func TestObtain_ARefusedPurposeLeavesTheGrant(t *testing.T) {
	for _, code := range []string{"access_denied", "interaction_required", "login_required", "consent_required", "invalid_grant"} {
		t.Run(code, func(t *testing.T) {
			onEachStore(t, func(b *bed) {
				told := 0
				c := b.config()
				c.Sources[0].Narrow = true
				c.Refused = func(context.Context, string, string, time.Time) error { told++; return nil }
				v := b.open(c)
				b.signIn(v)
				b.op.do(func(o *op) { o.less = &refusal{400, code} })
				for range 5 {
					b.wants(v, vault.Want{Resource: api}, vault.ErrResource)
					b.wants(v, vault.Want{Scope: []string{"email"}}, vault.ErrScope)
				}
				if asked := b.op.asked(); asked > 4 {
					b.Errorf("the provider was asked %d times", asked)
				}
				b.same("sessions that end", told, 0)
				b.same("must sign in again", b.row().NeedsReauth, false)
				b.clock.advance(2 * time.Hour)
				if _, err := v.Fresh(b.Context(), "ann", "sso", 0); err != nil {
					b.Errorf("the token itself: %v", err)
				}
				if code != "invalid_grant" {
					return
				}
				// The grant has ended.
				b.op.do(func(o *op) { clear(o.live) })
				b.wants(v, vault.Want{Resource: api}, vault.ErrNeedsReauth)
				b.same("sessions that end", told, 1)
			})
		})
	}
}

// A client chooses the resource. Whatever the provider makes of it, the others do not
// wait for that, and the provider is not asked again and again.
func TestObtain_AFailureIsOfThePurposeAlone(t *testing.T) {
	for _, how := range []refusal{{500, ""}, {503, "temporarily_unavailable"}, {429, "slow_down"}, {408, ""}, {400, "invalid_scope"}, {404, ""}} {
		t.Run(fmt.Sprint(how.status, how.code), func(t *testing.T) {
			onEachStore(t, func(b *bed) {
				v := b.narrowing()
				b.signIn(v)
				_, err := v.Put(b.Context(), "bob", "sso", b.op.grant(b.clock.now().Add(time.Hour)))
				b.ok(err)
				b.clock.advance(2 * time.Hour)
				b.op.do(func(o *op) { o.less = &how })
				for range 20 {
					b.wants(v, vault.Want{Resource: api}, provider.ErrUnavailable)
				}
				// In doubt whether the token was spent, for the row's own one.
				b.same("asked", b.op.asked(), 1+how.status/500)
				b.same("in doubt", b.row().LeaseOwner, "")
				if _, err := v.Fresh(b.Context(), "bob", "sso", 0); err != nil {
					b.Errorf("somebody else: %v", err)
				}
				if _, err := v.Fresh(b.Context(), "ann", "sso", 0); err != nil {
					b.Errorf("the token itself: %v", err)
				}
				b.op.do(func(o *op) { o.less, o.forOne = nil, api })
				b.clock.advance(2 * time.Second)
				b.obtain(v, api)
			})
		})
	}
}

// A refresh token that came with an access token which cannot be used is the one from
// now on: the provider has spent the former (RFC 9700, section 4.14.2).
func TestObtain_KeepsWhatWasRotated(t *testing.T) {
	onEachStore(t, func(b *bed) {
		for name, ask := range map[string]func(v *vault.Vault) error{
			"narrowed": func(v *vault.Vault) error {
				_, err := v.Obtain(b.Context(), "ann", "sso", vault.Want{Scope: []string{"email"}})
				return err
			},
			"refreshed": func(v *vault.Vault) error {
				_, err := v.Fresh(b.Context(), "ann", "sso", 0)
				return err
			},
		} {
			v := b.narrowing()
			b.signIn(v)
			b.clock.advance(2 * time.Hour)
			b.op.do(func(o *op) { o.after = func(answer map[string]any) { answer["token_type"] = "mac" } })
			asked := b.op.asked()
			for range 5 {
				if err := ask(v); !errors.Is(err, provider.ErrUnavailable) {
					b.Errorf("%s: %v", name, err)
				}
			}
			b.same(name+": asked", b.op.asked(), asked+1)
			b.op.do(func(o *op) { o.after = nil })
			b.clock.advance(2 * time.Second)
			if _, err := v.Fresh(b.Context(), "ann", "sso", 0); err != nil {
				b.Errorf("%s, then refreshed: %v", name, err)
			}
			if err := ask(v); err != nil {
				b.Errorf("%s, then asked again: %v", name, err)
			}
		}
	})
}
