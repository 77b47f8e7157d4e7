package vault

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

const (
	// heldFor is how long an access token is used without looking at its row;
	// what was removed elsewhere is usually announced long before. From the
	// half on, a use has that done in the background.
	heldFor = time.Minute
	// heldStale is how long it is used while the token store does not answer,
	// if it does not expire before.
	heldStale = 10 * time.Minute
	// heldAhead is by how much a token is refreshed in the background before
	// somebody would have to wait for it.
	heldAhead = 30 * time.Second
	// heldPause is how long nobody waits again for what has just failed, and
	// heldWait how long anybody does who can be served otherwise.
	heldPause = 5 * time.Second
	heldWait  = 2 * time.Second
)

// Use is [Vault.Fresh] for one request out of many: an access token that was
// asked for before costs no I/O until shortly before it expires. Tokens in use
// are refreshed, and their rows looked at, in the background. While the token
// store does not answer, a token is used that was good when it last did. A token that
// covers more than the scopes that are wanted is as good.
// Errors as for [Vault.Fresh], and [ErrScope].
func (v *Vault) Use(ctx context.Context, subject, providerName string, scope ...string) (Access, error) {
	a, err := v.use(ctx, subject, providerName)
	if err != nil {
		return a, err
	}
	for _, wanted := range scope {
		if !a.covers(wanted) {
			return Access{}, fmt.Errorf("using token of %s: %w %s", providerName, ErrScope, wanted)
		}
	}
	return a, nil
}

func (v *Vault) use(ctx context.Context, subject, providerName string) (Access, error) {
	s := v.source(providerName)
	if s == nil {
		return Access{}, fmt.Errorf("using token of %q: %w", providerName, ErrProvider)
	}
	key := holdKey{subject, s.issuer()}
	now := v.Now()
	h := v.held.get(key)
	if h != nil && h.epoch == v.held.epoch.Load() && now.Before(h.until) {
		if !now.Before(h.renew) && h.renewing.CompareAndSwap(false, true) {
			v.hold(ctx, key, h.need+h.ahead)
		}
		return h.access, nil
	}
	usable := h != nil && now.Before(h.stale)
	waiting := ctx
	if usable {
		var cancel context.CancelFunc
		waiting, cancel = context.WithTimeout(ctx, heldWait)
		defer cancel()
	}
	a, err := v.holdAndWait(waiting, key)
	if usable && err != nil && (isAway(err) || ctx.Err() == nil && waiting.Err() != nil) {
		v.held.postpone(key, h, now.Add(heldPause))
		return h.access, nil
	}
	return a, err
}

// isAway reports whether the token store did not answer.
func isAway(err error) bool { return errors.Is(err, tokenstore.ErrUnavailable) }

// hold begins to look for a token that is good for at least minLeft, unless
// that is done already.
func (v *Vault) hold(ctx context.Context, key holdKey, minLeft time.Duration) <-chan flight {
	ctx = context.WithoutCancel(ctx)
	generation := v.held.mark()
	name := "use:" + strconv.FormatUint(generation, 10) + ":" + strconv.Itoa(len(key.subject)) + ":" + key.subject + key.issuer
	return v.flights.DoChan(name, func() (any, error) {
		v.running.begin()
		defer v.running.end()
		ctx, cancel := context.WithTimeout(ctx, v.LeaseWait+v.RefreshTimeout+storeTimeout)
		defer cancel()
		a, err := v.Fresh(ctx, key.subject, key.issuer, minLeft)
		switch {
		case err == nil:
			v.held.put(key, v.holding(a), generation)
		case isAway(err) || ctx.Err() != nil:
		default:
			v.held.drop(key)
		}
		return a, err
	})
}

func (v *Vault) holdAndWait(ctx context.Context, key holdKey) (Access, error) {
	select {
	case r := <-v.hold(ctx, key, 0):
		a, _ := r.Val.(Access)
		return a, r.Err
	case <-ctx.Done():
		return Access{}, context.Cause(ctx)
	}
}

// holding says how long an access token can be used that was good just now.
func (v *Vault) holding(a Access) *holding {
	now := v.Now()
	h := &holding{access: a, epoch: v.held.epoch.Load(), renew: now.Add(heldFor / 2), until: now.Add(heldFor), stale: now.Add(heldStale)}
	if a.ExpiresAt.IsZero() {
		return h
	}
	h.need, h.ahead = min(defaultSkew, a.lifetime/2), min(heldAhead, a.lifetime/8)
	h.stale = earlier(h.stale, a.ExpiresAt)
	fresh := a.ExpiresAt.Add(-h.need)
	if !now.Before(fresh) {
		// The provider cannot be asked for a better one now.
		fresh = earlier(now.Add(heldPause), a.ExpiresAt)
	}
	h.until = earlier(h.until, fresh)
	h.renew = earlier(h.renew, a.ExpiresAt.Add(-h.need-h.ahead))
	if !now.Before(h.renew) {
		h.renew = now.Add(heldPause)
	}
	return h
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// Forget has the tokens of a subject looked up again, as after a removal.
func (v *Vault) Forget(subject string) {
	keys := make([]holdKey, 0, len(v.sources))
	for _, s := range v.sources {
		keys = append(keys, holdKey{subject, s.issuer()})
	}
	v.held.forget(keys...)
}

// Doubt has every token looked up again before it is used, as long as the token
// store answers: announcements of removals may have been missed.
func (v *Vault) Doubt() { v.held.epoch.Add(1) }
