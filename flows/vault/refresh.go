package vault

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

const (
	// storeTimeout bounds what the store is asked in a refresh, together.
	storeTimeout = 10 * time.Second
	// leasePause is the least time between two looks at a row that somebody
	// else is refreshing.
	leasePause = 50 * time.Millisecond
)

// outcome of a refresh: a fresh token, or the row as somebody else left it.
type outcome struct {
	refreshed bool
	access    Access
	claims    *identity.Claims // of a recheck
	row       tokenstore.ProviderToken
}

// reply is what a provider gave.
type reply struct {
	// token is fresh; nil: there is none. Without an access token it is only the refresh
	// token that the provider rotated.
	token *provider.Token
	// want is what the token is for; nil: it is the row's own.
	want   *Want
	claims *identity.Claims // of a recheck
	// doubt: the refresh token may have been spent before this.
	doubt bool
}

func (r reply) isUsable() bool { return r.token != nil && r.token.AccessToken != "" }

// onlyRotated is the reply of a token whose access token cannot be used. The refresh
// token that was sent may have been spent for the one that is with it.
func onlyRotated(t provider.Token) reply {
	if t.RefreshToken == "" {
		return reply{}
	}
	return reply{token: &provider.Token{RefreshToken: t.RefreshToken, RefreshExpiresAt: t.RefreshExpiresAt}}
}

// asker asks a provider for a fresh token. One that comes with an error is good
// all the same, and must be kept. Claims without a token and an error are of a
// token that is as it was.
type asker func(ctx context.Context, s *source, t Token) (reply, error)

// asking is an asker, and for what purpose it asks: "" for the row's own token.
type asking struct {
	ask     asker
	purpose string
}

func askForToken(ctx context.Context, s *source, t Token) (reply, error) {
	fresh, err := s.refresher.Refresh(ctx, t.RefreshToken, nil)
	if err != nil {
		return onlyRotated(fresh), err
	}
	return reply{token: &fresh}, nil
}

// renew replaces the token in a row by a fresh one. However many callers have
// seen this version of the row and found it wanting, there is one refresh. It
// belongs to none of them: who gives up waiting fails alone.
func (v *Vault) renew(ctx context.Context, s *source, row tokenstore.ProviderToken) (outcome, error) {
	defer v.turns.first(row)()
	return v.fly(ctx, flightKey(row), s, row, asking{ask: askForToken})
}

func (v *Vault) fly(ctx context.Context, key string, s *source, row tokenstore.ProviderToken, ask asking) (outcome, error) {
	return v.inFlight(ctx, key, func(ctx context.Context) (outcome, error) { return v.refresh(ctx, s, row, ask) })
}

// inFlight does f once for all who want it by the same key.
func (v *Vault) inFlight(ctx context.Context, key string, f func(ctx context.Context) (outcome, error)) (outcome, error) {
	flight := v.flights.DoChan(key, func() (any, error) {
		v.running.begin()
		defer v.running.end()
		return f(context.WithoutCancel(ctx))
	})
	select {
	case r := <-flight:
		o, _ := r.Val.(outcome)
		return o, r.Err
	case <-ctx.Done():
		return outcome{}, context.Cause(ctx)
	}
}

// flightKey names a version of a row. The subject's length keeps two rows
// apart whose names run together alike.
func flightKey(row tokenstore.ProviderToken) string {
	return strconv.FormatInt(row.Version, 10) + ":" + strconv.Itoa(len(row.Subject)) + ":" + row.Subject + row.Provider
}

// refresh is one flight: take the lease, ask the provider, write back. Nothing
// of the store is held while the provider is asked.
func (v *Vault) refresh(ctx context.Context, s *source, row tokenstore.ProviderToken, ask asking) (outcome, error) {
	if err := v.paused(s, row, ask); err != nil {
		return outcome{}, err
	}
	owner := hex.EncodeToString(v.Keyring.Random(16))
	leased, doubt, err := v.lease(ctx, row, owner)
	if err != nil {
		return outcome{}, err
	}
	if leased.Version != row.Version {
		return outcome{row: leased}, nil
	}
	t, err := v.open(leased)
	if err != nil {
		v.unlease(ctx, leased, owner, doubt)
		return outcome{}, err
	}
	spends := t.RefreshToken != ""
	doubt = doubt && spends
	if wait := s.breaker.enter(v.Now()); wait > 0 {
		v.unlease(ctx, leased, owner, doubt)
		return outcome{}, &UnavailableError{RetryAfter: wait}
	}
	waiting, cancel := context.WithTimeout(ctx, v.RefreshTimeout)
	got, err := ask.ask(waiting, s, t)
	cancel()
	pause := v.settle(s, row, ask, got, err, spends)
	doubt = doubt || got.doubt
	switch {
	case isFinal(err):
		return v.refused(ctx, s, leased, t, doubt && !errors.Is(err, provider.ErrGone), err)
	case got.token == nil && err == nil:
		v.unlease(ctx, leased, owner, doubt)
		return outcome{claims: got.claims, row: leased}, nil
	case got.isUsable():
		v.counters.refreshed.Add(1)
		v.count(s, "success")
		saved, failure := v.save(ctx, s, leased, t, *got.token, got.want)
		saved.claims = got.claims
		if ask.purpose != "" && got.want == nil {
			v.Forget(row.Subject) // some providers end the former access token at once
		}
		if got.doubt {
			err = &UnavailableError{RetryAfter: pause, Err: err}
		}
		return saved, errors.Join(err, failure)
	}
	v.counters.refreshFailed.Add(1)
	v.count(s, "failure")
	v.Logger.WarnContext(ctx, "refreshing a provider token failed", "provider", s.Name(), "subject", row.Subject, "pause", pause, "error", err)
	if got.token != nil {
		_, failure := v.save(ctx, s, leased, t, *got.token, nil)
		return outcome{}, &UnavailableError{RetryAfter: pause, Err: errors.Join(err, failure)}
	}
	v.unlease(ctx, leased, owner, doubt || spends && !errors.Is(err, provider.ErrNotSpent))
	return outcome{}, &UnavailableError{RetryAfter: pause, Err: err}
}

// lease takes the right to refresh a row. While another node has it, the row is
// looked at again and again, for [Config.LeaseWait] at most; once somebody
// wrote it, it is returned with its new version. Doubt tells that somebody else
// began a refresh whose end is not known: the provider may have spent the
// refresh token for a fresh one that got lost.
func (v *Vault) lease(ctx context.Context, row tokenstore.ProviderToken, owner string) (leased tokenstore.ProviderToken, doubt bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, v.LeaseWait+storeTimeout)
	defer cancel()
	giveUp := time.NewTimer(v.LeaseWait)
	defer giveUp.Stop()
	doubt = row.LeaseOwner != ""
	for looks, last := 0, false; ; looks++ {
		if looks > 0 {
			// Just before the next try, so that doubt is of what is there then.
			now, err := v.Store.ProviderToken(ctx, row.Subject, row.Provider)
			if err != nil || now.Version != row.Version {
				return now, false, err
			}
			doubt = now.LeaseOwner != ""
		}
		leased, err := v.Store.LeaseProviderToken(ctx, row.Subject, row.Provider, row.Version, owner, v.leaseTime())
		switch {
		case !errors.Is(err, tokenstore.ErrConflict):
			return leased, doubt, err
		case last:
			return row, doubt, &UnavailableError{RetryAfter: v.LeaseWait, Err: errors.New("another node is refreshing the token")}
		case looks == 0:
			continue // the row that the caller saw may be an old one
		}
		select {
		case <-giveUp.C:
			last = true // one more look
		case <-time.After(leasePause + v.jitter(2*leasePause)):
		}
	}
}

// unlease lets another caller try at once. In doubt whether the provider has
// spent the refresh token, the owner stays, as of a lease that ran out. While the
// store does not answer, it is tried again in the background: a lease that runs
// out by itself leaves a doubt that there is no reason for.
func (v *Vault) unlease(ctx context.Context, row tokenstore.ProviderToken, owner string, doubt bool) {
	var d time.Duration
	if doubt {
		d = time.Microsecond
	}
	giveUp := func(ctx context.Context) bool {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
		defer cancel()
		_, err := v.Store.LeaseProviderToken(ctx, row.Subject, row.Provider, row.Version, owner, d)
		return !isAway(err)
	}
	if !giveUp(ctx) && !doubt {
		v.later(ctx, giveUp)
	}
}

// leaseTime is for how long a refresh takes a row.
func (v *Vault) leaseTime() time.Duration { return v.RefreshTimeout + leaseMargin }

// tellRefused comes before the row says so: whoever is told and dies is told
// again. The lease was taken just before the provider was asked.
func (v *Vault) tellRefused(ctx context.Context, leased tokenstore.ProviderToken) error {
	if v.Refused == nil {
		return nil
	}
	return v.Refused(ctx, leased.Subject, leased.Provider, leased.LeaseUntil.Add(-v.leaseTime()))
}

// refused deals with a refresh token that the provider refused for good, or with an
// access token where there is no other. If the row has another one by now, that is the one to use; else the user must sign
// in again. In doubt the provider has not ended the user's sign-in, but a fresh
// token was lost on its way into the row: nobody is told, and nobody loses a
// session for it.
func (v *Vault) refused(ctx context.Context, s *source, row tokenstore.ProviderToken, spent Token, doubt bool, cause error) (outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	for {
		now, err := v.Store.ProviderToken(ctx, row.Subject, row.Provider)
		var t Token
		if err == nil {
			t, err = v.open(now)
		}
		if err != nil {
			v.unlease(ctx, row, row.LeaseOwner, doubt)
			return outcome{}, err
		}
		if t.RefreshToken != spent.RefreshToken || spent.RefreshToken == "" && t.AccessToken != spent.AccessToken {
			return outcome{row: now}, nil
		}
		if !doubt {
			if err := v.tellRefused(ctx, row); err != nil {
				v.unlease(ctx, row, row.LeaseOwner, doubt)
				return outcome{}, &UnavailableError{RetryAfter: firstBackoff, Err: err}
			}
		}
		now.NeedsReauth = true
		_, err = v.Store.UpdateProviderToken(ctx, now)
		if errors.Is(err, tokenstore.ErrConflict) {
			continue // resealed, or signed in again
		}
		v.Forget(row.Subject)
		v.counters.needsReauth.Add(1)
		v.count(s, "refused")
		v.Logger.WarnContext(ctx, "a provider refused a token; the user must sign in there again",
			"provider", s.Name(), "subject", row.Subject, "error", cause)
		return outcome{}, errors.Join(fmt.Errorf("refreshing token of %s: %w: %w", s.Name(), ErrNeedsReauth, cause), err)
	}
}
