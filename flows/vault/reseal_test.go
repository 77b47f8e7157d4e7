package vault_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/vault"
)

func TestSecretsRotate(t *testing.T) {
	onEachStore(t, func(b *bed) {
		old := b.vault(oldSecret)
		first := b.signIn(old)
		both := b.vault(newSecret, oldSecret)
		got, err := both.Get(b.Context(), "ann", "sso")
		b.ok(err)
		b.same("readable", got.RefreshToken, first.RefreshToken)

		only := b.vault(newSecret)
		b.refuses(only, vault.ErrKey)
		if _, err := only.Get(b.Context(), "ann", "sso"); !errors.Is(err, vault.ErrKey) {
			b.Errorf("without its key: %v", err)
		}
		b.ok(only.Reseal(b.Context()))
		b.same("unreadable", only.Stats().Unreadable, 1)
		b.same("left alone", b.row().KeyID, ring(b.T, oldSecret).KeyID())

		b.ok(both.Reseal(b.Context()))
		b.same("resealed", both.Stats().Resealed, 1)
		got, err = only.Get(b.Context(), "ann", "sso")
		b.ok(err)
		b.same("refresh token", got.RefreshToken, first.RefreshToken)
		b.same("access token", got.AccessToken, first.AccessToken)
		b.same("issued", got.IssuedAt.UnixMicro(), b.row().IssuedAt.UnixMicro())
		before := b.row().Version
		b.ok(both.Reseal(b.Context()))
		b.same("nothing left to do", b.row().Version, before)
		b.ok(only.Reseal(b.Context()))
		b.same("unreadable", only.Stats().Unreadable, 0)
		// Found by its value under the new key.
		removed, err := only.RemoveRefresh(b.Context(), first.RefreshToken)
		b.ok(err)
		b.same("removed", len(removed), 1)
	})
}

func TestReseal_ManyRows(t *testing.T) {
	onEachStore(t, func(b *bed) {
		old := b.vault(oldSecret)
		const rows = 120 // more than two pages
		for i := range rows {
			_, err := old.Put(b.Context(), fmt.Sprintf("user %d", i), "sso", b.op.grant(b.clock.now().Add(time.Hour)))
			b.ok(err)
		}
		v := b.vault(newSecret, oldSecret)
		b.ok(v.Reseal(b.Context()))
		b.same("resealed", v.Stats().Resealed, rows)
		page, err := b.vault(newSecret).List(b.Context(), vault.Query{All: true, Limit: 1000})
		b.ok(err)
		for _, token := range page.Tokens {
			if token.Err != nil {
				b.Errorf("%s: %v", token.Subject, token.Err)
			}
		}
	})
}

// A row that is being refreshed keeps its lease, and one that was resealed
// before the lease could be seen loses no token.
func TestReseal_WhileRefreshing(t *testing.T) {
	onEachStore(t, func(b *bed) {
		b.signIn(b.vault(oldSecret))
		b.clock.advance(2 * time.Hour)
		v := b.vault(newSecret, oldSecret)
		b.op.do(func(o *op) {
			o.before = func(http.ResponseWriter) bool {
				if err := v.Reseal(b.Context()); err != nil {
					b.Error(err)
				}
				return false
			}
		})
		fresh := b.fresh(v)
		b.same("resealed under the lease", v.Stats().Resealed, 0)
		got, err := b.vault(newSecret).Get(b.Context(), "ann", "sso")
		b.ok(err)
		b.same("written back", got.AccessToken, fresh.AccessToken)

		// The version moves on while the provider is asked, for whatever reason.
		b.clock.advance(2 * time.Hour)
		b.op.do(func(o *op) {
			o.before = func(http.ResponseWriter) bool {
				row := b.row()
				if _, err := b.store.UpdateProviderToken(b.Context(), row); err != nil {
					b.Error(err)
				}
				return false
			}
		})
		fresh = b.fresh(v)
		b.op.do(func(o *op) { o.before = nil })
		got, err = v.Get(b.Context(), "ann", "sso")
		b.ok(err)
		b.same("written back all the same", got.AccessToken, fresh.AccessToken)
		b.clock.advance(2 * time.Hour)
		b.fresh(v)
	})
}

// What is not known of a refresh that somebody left unfinished is not known any
// better when the row has been sealed anew.
func TestReseal_KeepsTheDoubt(t *testing.T) {
	onEachStore(t, func(b *bed) {
		first := b.signIn(b.vault(oldSecret))
		row := b.row()
		_, err := b.store.LeaseProviderToken(b.Context(), row.Subject, row.Provider, row.Version, "the node that dies", 15*time.Second)
		b.ok(err)
		b.clock.advance(2 * time.Hour)
		c := b.config(newSecret, oldSecret)
		c.Refused = func(context.Context, string, string, time.Time) error {
			b.Error("told of a token that may have been lost")
			return nil
		}
		v := b.open(c)
		b.ok(v.Reseal(b.Context()))
		b.same("resealed", v.Stats().Resealed, 1)
		b.op.do(func(o *op) { delete(o.live, first.RefreshToken) })
		b.refuses(v, vault.ErrNeedsReauth)
		b.same("marked", b.row().NeedsReauth, true)
	})
}

// A wide token that nobody can open any more stands in no new one's way.
func TestPut_InPlaceOfOneThatDoesNotOpen(t *testing.T) {
	onEachStore(t, func(b *bed) {
		wide := b.op.grant(time.Time{})
		wide.Scope = "openid email profile"
		_, err := b.vault(oldSecret).Put(b.Context(), "ann", "sso", wide)
		b.ok(err)
		v := b.vault(newSecret)
		narrow := b.signIn(v)
		b.same("kept", b.fresh(v).AccessToken, narrow.AccessToken)
	})
}

// While secrets change, the store cannot tell by the hash that a displaced token
// is the kept one. Revoking it would end both.
func TestRevoke_NotWhatIsKept(t *testing.T) {
	onEachStore(t, func(b *bed) {
		open := func(secrets ...string) *vault.Vault {
			c := b.config(secrets...)
			c.Sources[0].RevokeDisplaced = true
			return b.open(c)
		}
		token := b.signIn(open(oldSecret))
		v := open(newSecret, oldSecret)
		stored, err := v.Put(b.Context(), "ann", "sso", token)
		b.ok(err)
		if stored.Displaced == nil || stored.Displaced.RefreshToken != token.RefreshToken {
			b.Fatalf("displaced %v", stored.Displaced)
		}
		b.drain(v)
		b.same("revoked", b.op.wasRevoked(), []string{})
		other := b.signIn(v)
		b.drain(v)
		b.same("revoked", b.op.wasRevoked(), []string{"refresh_token " + token.RefreshToken, "access_token " + token.AccessToken})
		if got := b.fresh(v).AccessToken; got != other.AccessToken {
			b.Errorf("got %s", got)
		}
	})
}

func TestTokensPrintNoSecret(t *testing.T) {
	for _, v := range []any{vault.Token{AccessToken: "s3cr3t", RefreshToken: "s3cr3t"}, vault.Access{AccessToken: "s3cr3t"}, provider.Token{AccessToken: "s3cr3t"}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			if text := fmt.Sprintf(verb, v); strings.Contains(text, "s3cr3t") {
				t.Errorf("%s prints %s", verb, text)
			}
		}
	}
}
