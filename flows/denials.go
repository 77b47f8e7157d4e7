package flows

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// loadTimeout is how long a request waits at most for what was revoked.
const loadTimeout = 10 * time.Second

// denials remembers which access tokens without a session were revoked, until
// they expire.
type denials struct {
	deniedMu sync.RWMutex
	denied   map[string]time.Time          // jti, until
	watched  map[string]map[*func()]string // what to stop and the key that signed it, by jti

	// gaps counts the times at which announcements may have been missed, the start
	// among them; learned is how many there were when what is known was asked for.
	gaps, learned atomic.Uint64
	loading       singleflight.Group
}

func (d *denials) begin() {
	d.denied, d.watched = make(map[string]time.Time), make(map[string]map[*func()]string)
	d.gaps.Store(1)
}

// deny refuses tokens, and stops what watches them.
func (d *denials) deny(revoked ...tokenstore.RevokedTokenID) {
	var stops []*func()
	d.deniedMu.Lock()
	for _, r := range revoked {
		d.denied[r.ID] = r.Until
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
func (d *denials) forget(now time.Time) {
	d.deniedMu.Lock()
	defer d.deniedMu.Unlock()
	for id, until := range d.denied {
		if now.After(until) {
			delete(d.denied, id)
		}
	}
}

func (d *denials) isDenied(jti string) bool {
	d.deniedMu.RLock()
	defer d.deniedMu.RUnlock()
	_, denied := d.denied[jti]
	return denied
}

// heardTokenIDs are those of an announcement, which does not say when they
// expire: by then, at the latest. The store says more.
func heardTokenIDs(ids []string, now time.Time) []tokenstore.RevokedTokenID {
	var revoked []tokenstore.RevokedTokenID
	for _, id := range ids {
		revoked = append(revoked, tokenstore.RevokedTokenID{ID: id, Until: now.Add(client.MaxAccessTokenLifetime)})
	}
	return revoked
}

// knowTokenIDs makes sure that what was revoked is known: after a start or a gap
// in the announcements, one of the requests that want to know asks for all.
func (g *Gateway) knowTokenIDs(ctx context.Context) error {
	gap := g.bearers.gaps.Load()
	if g.bearers.learned.Load() >= gap {
		return nil
	}
	// Whoever comes after a further gap does not join one who asked before it.
	_, err, _ := g.bearers.loading.Do(strconv.FormatUint(gap, 10), func() (any, error) {
		if g.bearers.learned.Load() >= gap {
			return nil, nil
		}
		// Others wait for the answer, though this client may hang up.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
		defer cancel()
		return nil, g.loadTokenIDs(ctx)
	})
	return err
}

// loadTokenIDs loads what was revoked on all nodes.
func (g *Gateway) loadTokenIDs(ctx context.Context) error {
	gap := g.bearers.gaps.Load()
	revoked, err := g.Store.RevokedTokenIDs(ctx)
	if err != nil && !errors.Is(err, tokenstore.ErrNotFound) {
		return err
	}
	g.bearers.deny(revoked...)
	g.bearers.forget(g.Now())
	for {
		learned := g.bearers.learned.Load()
		if learned >= gap || g.bearers.learned.CompareAndSwap(learned, gap) {
			return nil
		}
	}
}
