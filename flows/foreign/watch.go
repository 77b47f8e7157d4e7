package foreign

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

const (
	// pace is how often what is watched is looked at. It is asked about by so much earlier
	// than a request would have asked, so that both hear of an end within the same time.
	pace = 2 * time.Second
	// looksAtOnce bounds the questions for what is watched.
	looksAtOnce = 8
	// streamGrace is what a stream has beyond a request: its token is asked about in turn.
	streamGrace = 15 * time.Second
)

// watchers are what began by a token and goes on.
type watchers struct {
	mu   sync.Mutex
	live map[*watcher]struct{}
}

type watcher struct {
	id   *identity.Identity
	key  key
	stop func()
}

// Watch has stop called, once, when a token of another issuer does not open its place any
// more: its issuer, or the store, says so, or the rules of its provider; before Watch
// returns if tokens of the provider are not taken any more. It must not block. Release
// must be called when the stream ends; it may be called again.
func (v *Verifier) Watch(id *identity.Identity, stop func()) (release func()) {
	if v.Providers[id.Provider] == nil {
		stop()
		return func() {}
	}
	w := &watcher{id: id, key: key{id.Provider, sha256.Sum256([]byte(id.Accepted.Token()))}, stop: sync.OnceFunc(stop)}
	v.watchers.mu.Lock()
	defer v.watchers.mu.Unlock()
	if v.watchers.live == nil {
		v.watchers.live = make(map[*watcher]struct{})
	}
	v.watchers.live[w] = struct{}{}
	return func() {
		v.watchers.mu.Lock()
		defer v.watchers.mu.Unlock()
		delete(v.watchers.live, w)
	}
}

// Run looks after what is watched until ctx ends.
func (v *Verifier) Run(ctx context.Context) {
	ticker := time.NewTicker(pace)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			v.lookAfter(ctx)
		}
	}
}

// lookAfter vouches again for what is watched, each token once.
func (v *Verifier) lookAfter(ctx context.Context) {
	byToken := make(map[key][]*watcher)
	v.watchers.mu.Lock()
	for w := range v.watchers.live {
		byToken[w.key] = append(byToken[w.key], w)
	}
	v.watchers.mu.Unlock()
	var group errgroup.Group
	group.SetLimit(looksAtOnce)
	for k, of := range byToken {
		group.Go(func() error {
			v.lookAt(ctx, k, of)
			return nil
		})
	}
	_ = group.Wait() // none fails
}

func (v *Verifier) lookAt(ctx context.Context, k key, of []*watcher) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	known, err := v.vouch(ctx, k, of[0].id.Accepted.Token(), pace)
	for _, w := range of {
		switch {
		case err == nil && !known.Barred:
			w.id.Accepted.Confirm(known.Identity, known.Identity.Accepted.ConfirmedAt())
		case err == nil, errors.Is(err, ErrToken), v.age(w.id) >= v.ServeStale()+streamGrace:
			w.stop()
		}
	}
}

// age is how long ago somebody's token was vouched for.
func (v *Verifier) age(id *identity.Identity) time.Duration {
	return v.Now().Sub(id.Accepted.ConfirmedAt())
}

// IsStale reports whether a token was last vouched for longer ago than the limit, or than
// requests go unasked if that is longer: then a store does not answer.
func (v *Verifier) IsStale(id *identity.Identity, limit time.Duration) bool {
	return v.age(id) >= max(limit, lookAgain)
}

// IsStreamStale is [Verifier.IsStale] for what is watched.
func (v *Verifier) IsStreamStale(id *identity.Identity, limit time.Duration) bool {
	return v.age(id) >= max(limit, lookAgain)+streamGrace
}
