package accesstoken

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/web"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// loadTimeout is how long a request waits at most for what was revoked.
const loadTimeout = 10 * time.Second

// revoked remembers which access tokens without a session were revoked, until
// they expire.
type revoked struct {
	deniedMu sync.RWMutex
	ids      map[string]time.Time          // jti, until
	watched  map[string]map[*func()]string // what to stop and the key that signed it, by jti

	// gaps counts the times at which announcements may have been missed, the start
	// among them; learned is how many there were when what is known was asked for.
	gaps, learned atomic.Uint64
	loading       singleflight.Group
}

func (d *revoked) begin() {
	d.ids, d.watched = make(map[string]time.Time), make(map[string]map[*func()]string)
	d.gaps.Store(1)
}

// deny refuses tokens, and stops what watches them.
func (d *revoked) deny(revoked ...tokenstore.RevokedTokenID) {
	var stops []*func()
	d.deniedMu.Lock()
	for _, r := range revoked {
		d.ids[r.ID] = r.Until
		for stop := range d.watched[r.ID] {
			stops = append(stops, stop)
		}
		delete(d.watched, r.ID)
	}
	d.deniedMu.Unlock()
	for _, stop := range stops {
		(*stop)()
	}
}

// forget drops tokens that have expired, which nobody takes any more.
func (d *revoked) forget(now time.Time) {
	d.deniedMu.Lock()
	defer d.deniedMu.Unlock()
	for id, until := range d.ids {
		if now.After(until) {
			delete(d.ids, id)
		}
	}
}

func (d *revoked) isDenied(jti string) bool {
	d.deniedMu.RLock()
	defer d.deniedMu.RUnlock()
	_, denied := d.ids[jti]
	return denied
}

// announced are those of an announcement, which does not say when they
// expire: by then, at the latest. The store says more.
func announced(ids []string, now time.Time) []tokenstore.RevokedTokenID {
	var revoked []tokenstore.RevokedTokenID
	for _, id := range ids {
		revoked = append(revoked, tokenstore.RevokedTokenID{ID: id, Until: now.Add(client.MaxAccessTokenLifetime)})
	}
	return revoked
}

// Heard refuses tokens that another node announced as revoked.
func (v *Verifier) Heard(ids []string) { v.tokens.deny(announced(ids, v.Now())...) }

// Missed is told that announcements may have been missed.
func (v *Verifier) Missed() { v.tokens.gaps.Add(1) }

// learn makes sure that what was revoked is known: after a start or a gap
// in the announcements, one of the requests that want to know asks for all.
func (v *Verifier) learn(ctx context.Context) error {
	gap := v.tokens.gaps.Load()
	if v.tokens.learned.Load() >= gap {
		return nil
	}
	// Whoever comes after a further gap does not join one who asked before it.
	_, err, _ := v.tokens.loading.Do(strconv.FormatUint(gap, 10), func() (any, error) {
		if v.tokens.learned.Load() >= gap {
			return nil, nil
		}
		// Others wait for the answer, though this client may hang up.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
		defer cancel()
		return nil, v.load(ctx)
	})
	return err
}

// load loads what was revoked on all nodes.
func (v *Verifier) load(ctx context.Context) error {
	gap := v.tokens.gaps.Load()
	revoked, err := v.Store.RevokedTokenIDs(ctx)
	if err != nil && !errors.Is(err, tokenstore.ErrNotFound) {
		return err
	}
	v.tokens.deny(revoked...)
	v.tokens.forget(v.Now())
	for {
		learned := v.tokens.learned.Load()
		if learned >= gap || v.tokens.learned.CompareAndSwap(learned, gap) {
			return nil
		}
	}
}

// Revoke refuses an access token that has no session. It does not stop when
// ctx ends: of what is stored the other nodes must be told.
func (v *Verifier) Revoke(ctx context.Context, jti string, until time.Time) error {
	ctx, cancel := web.Detached(ctx)
	defer cancel()
	if err := v.Store.RevokeTokenID(ctx, jti, until); err != nil {
		return err
	}
	v.tokens.deny(tokenstore.RevokedTokenID{ID: jti, Until: until})
	if err := v.Cache.Announce(ctx, cache.Announcement{TokenIDs: []string{jti}}); err != nil {
		v.Logger.WarnContext(ctx, "announcing a revoked token failed; other nodes learn of it soon", "error", err)
	}
	return nil
}
