package flows

import (
	"context"
	"sync"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/outbox"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// Run does the gateway's background work until ctx ends, and returns when all
// of it has stopped: it tells clients of sign-outs, has provider tokens revoked
// that are no longer wanted, looks after the vault, and learns which access
// tokens other nodes revoked.
func (g *Gateway) Run(ctx context.Context) {
	var work sync.WaitGroup
	defer work.Wait()
	g.Sessions.BeforePaying(g.signouts.TellOwed)
	work.Go(func() { g.drain.Run(ctx) })
	work.Go(func() { g.adoptCredentials(ctx) })
	if g.Vault != nil {
		work.Go(func() { g.Vault.Run(ctx) })
		work.Go(func() { g.recheck.Run(ctx) })
	}
	if g.hasTokens() || g.Vault != nil {
		work.Go(func() { g.listen(ctx) })
	}
	if g.hasTokens() {
		work.Go(func() { g.access.Run(ctx) })
	}
	if len(g.Acceptors) > 0 {
		work.Go(func() { g.guard.Foreign.Run(ctx) })
	}
}

// newDrain makes the drain of what this gateway can deal with.
func (g *Gateway) newDrain() (*outbox.Drain, error) {
	handlers := make(map[tokenstore.OutboxKind]outbox.Handler)
	if g.hasTokens() {
		handlers[tokenstore.OutboxBackchannelLogout] = g.signouts.Handler()
	}
	if g.Vault != nil {
		handlers[tokenstore.OutboxProviderRevocation] = outbox.Handler{Handle: g.Vault.Revoke}
	}
	return outbox.New(outbox.Config{Store: g.Store, Handlers: handlers, Now: g.Now, Logger: g.Logger})
}

// hasTokens reports whether access tokens are issued here.
func (g *Gateway) hasTokens() bool { return g.Keys != nil && len(g.Clients)+len(g.open) > 0 }

// listen hears at once of access tokens that other nodes revoked, and of users
// whose provider tokens they removed.
func (g *Gateway) listen(ctx context.Context) {
	heard := func(a cache.Announcement) {
		g.access.Heard(a.TokenIDs)
		if g.Vault == nil {
			return
		}
		for _, subject := range a.Subjects {
			g.Vault.Forget(subject)
		}
	}
	missed := func() {
		g.access.Missed()
		if g.Vault != nil {
			g.Vault.Doubt()
		}
	}
	// It waits for a cache that is down, and fails only when ctx ends.
	if g.Cache.Subscribe(ctx, heard, missed) == nil && g.Vault != nil {
		g.Vault.Doubt() // what was announced before is not known
	}
}

// WatchToken is [accesstoken.Verifier.Watch], and [foreign.Verifier.Watch] of a token that
// another issuer gave.
func (g *Gateway) WatchToken(id *identity.Identity, stop func()) (release func()) {
	if id.Accepted == nil {
		return g.access.Watch(id, stop)
	}
	stop = sync.OnceFunc(stop)
	expires, ends := g.access.Watch(id, stop), g.guard.Foreign.Watch(id, stop)
	return func() {
		expires()
		ends()
	}
}

// EndSession is [signout.Manager.EndSession].
func (g *Gateway) EndSession(ctx context.Context, id uuid.UUID) error {
	return g.signouts.EndSession(ctx, id)
}

// EndSubject is [signout.Manager.EndSubject].
func (g *Gateway) EndSubject(ctx context.Context, subject string) error {
	return g.signouts.EndSubject(ctx, subject)
}
