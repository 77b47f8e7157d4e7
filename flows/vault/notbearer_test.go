package vault_test

import (
	"testing"
	"time"
)

// A token of another type that an older version kept is bound to a key that is not
// ours: it is not sent as if it were a bearer token, but refreshed, or asked for anew.
func TestFresh_NotABearerToken(t *testing.T) {
	onEachStore(t, func(b *bed) {
		v := b.vault()
		for _, typ := range []string{"mac", "DPoP"} {
			old := b.op.grant(b.clock.now().Add(time.Hour))
			old.TokenType = typ
			_, err := v.Put(b.Context(), "ann", "sso", old)
			b.ok(err)
			b.same("the stored type", b.row().TokenType, typ)
			if got := b.fresh(v); got.AccessToken == old.AccessToken || got.TokenType != "Bearer" {
				b.Errorf("a token of type %s is sent as %+v", typ, got.TokenType)
			}
		}
	})
}
