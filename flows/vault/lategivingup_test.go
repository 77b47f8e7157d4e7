package vault_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/vault"
)

// A node that was cut off from the store and gives its lease up late must not
// take away the doubt of the node that refreshed meanwhile.
func TestRefresh_LateGivingUpKeepsAnothersDoubt(t *testing.T) {
	onEachStore(t, func(b *bed) {
		c := b.config()
		var told atomic.Int32
		c.Refused = func(context.Context, string, string, time.Time) error { told.Add(1); return nil }
		other := b.open(c) // a node that reaches the store all the time
		first := b.signIn(b.vault())
		b.clock.advance(2 * time.Hour)
		store := b.goesAway(&c)
		v := b.open(c)
		b.op.do(func(o *op) { o.status = http.StatusServiceUnavailable })
		b.refuses(v, provider.ErrUnavailable) // not spent; the lease cannot be given up
		b.clock.advance(16 * time.Second)     // it runs out
		b.op.do(func(o *op) { o.status = http.StatusBadGateway; delete(o.live, first.RefreshToken) })
		b.refuses(other, provider.ErrUnavailable) // spent, and the answer lost
		owner := b.row().LeaseOwner
		if owner == "" {
			b.Fatal("no doubt")
		}
		store.away.Store(false)
		settle(v)
		b.same("the owner in doubt", b.row().LeaseOwner, owner)
		b.op.do(func(o *op) { o.status = 0 })
		b.clock.advance(time.Minute)
		b.refuses(other, vault.ErrNeedsReauth)
		b.same("told that the sign-in has ended", told.Load(), 0)
	})
}
