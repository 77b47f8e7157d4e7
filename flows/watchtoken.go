package flows

import (
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// WatchToken has stop called, once, when an access token without a session is
// revoked, here or on another node, or expires, or the key that signed it is gone. It is for what outlives its
// request: WebSockets and event streams. A token of a session needs none: the
// session is watched. If the token was revoked already, stop is called before
// WatchToken returns. It must not block.
//
// Release must be called when the stream ends; it may be called again.
func (g *Gateway) WatchToken(id *identity.Identity, stop func()) (release func()) {
	stop = sync.OnceFunc(stop)
	if g.isKeyGone(id.TokenKey) || !g.bearers.watch(id, &stop) {
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

// isKeyGone reports whether the key that signed a token, by its thumbprint, is not
// among ours any more.
func (g *Gateway) isKeyGone(key string) bool { return key != "" && !g.Keys.Holds(key) }

// watch is false for a token that was revoked already.
func (b *bearers) watch(id *identity.Identity, stop *func()) bool {
	b.deniedMu.Lock()
	defer b.deniedMu.Unlock()
	jti := id.TokenID
	if _, denied := b.denied[jti]; denied {
		return false
	}
	if b.watched[jti] == nil {
		b.watched[jti] = make(map[*func()]string)
	}
	b.watched[jti][stop] = id.TokenKey
	return true
}

// stopSigned stops what watches tokens that were signed by keys that are gone.
func (b *bearers) stopSigned(isGone func(key string) bool) {
	var stops []*func()
	b.deniedMu.Lock()
	for jti, of := range b.watched {
		for stop, key := range of {
			if isGone(key) {
				stops = append(stops, stop)
				delete(of, stop)
			}
		}
		if len(of) == 0 {
			delete(b.watched, jti)
		}
	}
	b.deniedMu.Unlock()
	for _, stop := range stops {
		(*stop)()
	}
}

func (b *bearers) unwatch(jti string, stop *func()) {
	b.deniedMu.Lock()
	defer b.deniedMu.Unlock()
	delete(b.watched[jti], stop)
	if len(b.watched[jti]) == 0 {
		delete(b.watched, jti)
	}
}
