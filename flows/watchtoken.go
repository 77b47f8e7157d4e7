package flows

import (
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// WatchToken has stop called, once, when an access token without a session is
// revoked, here or on another node, or expires. It is for what outlives its
// request: WebSockets and event streams. A token of a session needs none: the
// session is watched. If the token was revoked already, stop is called before
// WatchToken returns. It must not block.
//
// Release must be called when the stream ends; it may be called again.
func (g *Gateway) WatchToken(id *identity.Identity, stop func()) (release func()) {
	stop = sync.OnceFunc(stop)
	if !g.bearers.watch(id.TokenID, &stop) {
		stop()
		return func() {}
	}
	expiry := time.AfterFunc(max(0, id.TokenExpires.Sub(g.Now())), func() {
		g.bearers.unwatch(id.TokenID, &stop)
		stop()
	})
	return func() {
		expiry.Stop()
		g.bearers.unwatch(id.TokenID, &stop)
	}
}

// watch is false for a token that was revoked already.
func (b *bearers) watch(jti string, stop *func()) bool {
	b.deniedMu.Lock()
	defer b.deniedMu.Unlock()
	if _, denied := b.denied[jti]; denied {
		return false
	}
	if b.watched[jti] == nil {
		b.watched[jti] = make(map[*func()]struct{})
	}
	b.watched[jti][stop] = struct{}{}
	return true
}

func (b *bearers) unwatch(jti string, stop *func()) {
	b.deniedMu.Lock()
	defer b.deniedMu.Unlock()
	delete(b.watched[jti], stop)
	if len(b.watched[jti]) == 0 {
		delete(b.watched, jti)
	}
}
