package vault_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/vault"
)

const api = "https://api.example"

// narrowing is a vault of a provider that narrows tokens.
func (b *bed) narrowing(secrets ...string) *vault.Vault {
	b.Helper()
	c := b.config(secrets...)
	c.Sources[0].Narrow = true
	return b.open(c)
}

func (b *bed) obtain(v *vault.Vault, resource string, scope ...string) vault.Access {
	b.Helper()
	a, err := v.Obtain(b.Context(), "ann", "sso", vault.Want{Scope: scope, Resource: resource})
	b.ok(err)
	return a
}

// DIRAC's TokenManager: a token that is asked for with fewer scopes than were granted
// is refreshed down, one for an audience is kept beside it, and more than was granted
// is asked for anew.
func TestObtain_OneTokenPerResourceAndScopes(t *testing.T) {
	onEachStore(t, func(b *bed) {
		b.op.do(func(o *op) { o.forOne = api })
		v, peer := b.narrowing(), b.narrowing()
		wide := b.signIn(v)
		b.same("the stored one", b.obtain(v, "").AccessToken, wide.AccessToken)
		b.same("refreshes for the stored one", b.op.asked(), 0)

		email := b.obtain(v, "", "email")
		b.same("the narrower one's scope", email.Scope, "email")
		both := b.obtain(peer, api, "openid", "email")
		b.same("the other one's scope", both.Scope, "email openid")
		b.same("what was asked for", strings.Join(b.op.scopes, ", "), "email, email openid")
		for range 3 {
			for _, node := range []*vault.Vault{v, peer} {
				b.same("kept", b.obtain(node, "", "email", "email").AccessToken, email.AccessToken)
				b.same("kept for the resource", b.obtain(node, api, "email", "openid").AccessToken, both.AccessToken)
				b.same("the stored one", b.obtain(node, "").AccessToken, wide.AccessToken)
			}
		}
		b.same("refreshes", b.op.asked(), 2)

		_, err := v.Obtain(b.Context(), "ann", "sso", vault.Want{Scope: []string{"email", "admin"}})
		if !errors.Is(err, vault.ErrScope) {
			b.Errorf("more than was granted: %v", err)
		}
		_, err = v.Obtain(b.Context(), "ann", "sso", vault.Want{Resource: "https://elsewhere.example"})
		if !errors.Is(err, vault.ErrResource) {
			b.Errorf("a resource that the provider refuses: %v", err)
		}
		// Nobody else waits for that.
		b.clock.advance(40 * time.Minute)
		if a, err := v.Fresh(b.Context(), "ann", "sso", 25*time.Minute); err != nil || a.AccessToken == wide.AccessToken {
			b.Errorf("a refresh after it: %v", err)
		}
		b.same("kept through a refresh", b.obtain(v, "", "email").AccessToken, email.AccessToken)

		b.clock.advance(2 * time.Hour)
		if again := b.obtain(v, "", "email"); again.AccessToken == email.AccessToken || again.Scope != "email" {
			b.Error("an expired one is given out")
		}
		// What a sign-in brings ends them.
		b.signIn(v)
		asked := b.op.asked()
		b.obtain(v, "", "email")
		b.same("refreshes after a sign-in", b.op.asked(), asked+1)
	})
}

// One refresh for a purpose, on any number of nodes.
func TestObtain_Storm(t *testing.T) {
	onEachStore(t, func(b *bed) {
		nodes := []*vault.Vault{b.narrowing(), b.narrowing(), b.narrowing()}
		b.signIn(nodes[0])
		b.op.do(func(o *op) { o.keep = false })
		var mu sync.Mutex
		var got []string
		var wg sync.WaitGroup
		for i := range 30 {
			wg.Go(func() {
				a, err := nodes[i%3].Obtain(b.Context(), "ann", "sso", vault.Want{Scope: []string{"email"}})
				if err != nil {
					b.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				got = append(got, a.AccessToken)
			})
		}
		wg.Wait()
		slices.Sort(got)
		b.same("different tokens", len(slices.Compact(got)), 1)
		b.same("refreshes", b.op.asked(), 1)
	})
}

// Narrowed ones are sealed anew with the row, removed by value with it, and revoked.
func TestObtain_SealedRemovedAndRevoked(t *testing.T) {
	onEachStore(t, func(b *bed) {
		wide := b.signIn(b.narrowing(oldSecret))
		email := b.obtain(b.narrowing(oldSecret), "", "email")
		if row := b.row(); strings.Contains(string(row.Narrowed), email.AccessToken) || len(row.Narrowed) == 0 {
			b.Fatal("the token is stored in clear, or not at all")
		}
		b.ok(b.narrowing(newSecret, oldSecret).Reseal(b.Context()))
		v := b.narrowing()
		b.same("sealed anew", b.obtain(v, "", "email").AccessToken, email.AccessToken)

		row := b.row()
		damaged := row
		damaged.Narrowed = append([]byte{1}, row.Narrowed[1:]...)
		_, err := b.store.UpdateProviderToken(b.Context(), damaged)
		b.ok(err)
		next := b.obtain(v, "", "email")
		if next.AccessToken == email.AccessToken {
			b.Error("a damaged one was used")
		}
		gone, err := v.RemoveValue(b.Context(), next.AccessToken)
		b.ok(err)
		b.same("removed", len(gone), 1)
		b.drain(v)
		revoked := strings.Join(b.op.wasRevoked(), "\n")
		for _, token := range []string{wide.AccessToken, next.AccessToken} {
			if !strings.Contains(revoked, token) {
				b.Errorf("%s was not revoked:\n%s", token, revoked)
			}
		}
		none, err := v.RemoveValue(b.Context(), next.AccessToken)
		b.ok(err)
		b.same("removed again", len(none), 0)
	})
}

// A provider that does not narrow is asked for nothing: the stored token serves, or
// there is none for a resource.
func TestObtain_WhereNothingIsNarrowed(t *testing.T) {
	onEachStore(t, func(b *bed) {
		v := b.vault()
		wide := b.signIn(v)
		b.same("fewer scopes", b.obtain(v, "", "email").AccessToken, wide.AccessToken)
		_, err := v.Obtain(b.Context(), "ann", "sso", vault.Want{Resource: api})
		if !errors.Is(err, vault.ErrResource) {
			b.Errorf("a resource: %v", err)
		}
		b.same("refreshes", b.op.asked(), 0)
	})
}
