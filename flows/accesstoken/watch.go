package accesstoken

import (
	"context"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// Watch has stop called, once, when an access token without a session is
// revoked, here or on another node, or expires, or the key that signed it is gone. It
// is for what outlives its request: WebSockets and event streams. A token of a session
// needs none: the session is watched. If the token was revoked already, stop is called
// before Watch returns. It must not block.
//
// Release must be called when the stream ends; it may be called again.
func (v *Verifier) Watch(id *identity.Identity, stop func()) (release func()) {
	stop = sync.OnceFunc(stop)
	if v.isKeyGone(id.TokenKey) || !v.tokens.watch(id, &stop) {
		stop()
		return func() {}
	}
	expiry := time.AfterFunc(max(0, id.TokenExpires.Sub(v.Now())), func() {
		v.tokens.unwatch(id.TokenID, &stop)
		stop()
	})
	return func() {
		expiry.Stop()
		v.tokens.unwatch(id.TokenID, &stop)
	}
}

// isKeyGone reports whether the key that signed a token, by its thumbprint, is not
// among ours any more.
func (v *Verifier) isKeyGone(key string) bool { return key != "" && !v.Keys.Holds(key) }

// watch is false for a token that was revoked already.
func (b *tokens) watch(id *identity.Identity, stop *func()) bool {
	b.deniedMu.Lock()
	defer b.deniedMu.Unlock()
	jti := id.TokenID
	if _, denied := b.ids[jti]; denied {
		return false
	}
	if b.watched[jti] == nil {
		b.watched[jti] = make(map[*func()]string)
	}
	b.watched[jti][stop] = id.TokenKey
	return true
}

// stopSigned stops what watches tokens that were signed by keys that are gone.
func (b *tokens) stopSigned(isGone func(key string) bool) {
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

func (b *tokens) unwatch(jti string, stop *func()) {
	b.deniedMu.Lock()
	defer b.deniedMu.Unlock()
	delete(b.watched[jti], stop)
	if len(b.watched[jti]) == 0 {
		delete(b.watched, jti)
	}
}

// interval is how often a node asks which access tokens were revoked.
const interval = 10 * time.Second

// Run asks now and then which access tokens were revoked, for what was
// not heard, and ends streams whose token was signed by a key that is gone.
func (v *Verifier) Run(ctx context.Context) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		v.tokens.stopSigned(v.isKeyGone)
		if err := v.load(ctx); err != nil && ctx.Err() == nil {
			v.Logger.DebugContext(ctx, "learning of revoked tokens failed", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
