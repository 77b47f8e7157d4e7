package vault

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// saveAttempts are how often it is tried to write a fresh token back while its
// caller waits, with pauses from savePause on; the provider may have spent the
// old one for it. After that it goes on for defaultLaterFor in the background,
// with pauses of laterPause, as long as a store may be away for a restart.
const (
	saveAttempts    = 4
	savePause       = 50 * time.Millisecond
	defaultLaterFor = 30 * time.Second
	laterPause      = time.Second
)

// saving is a fresh token on its way into its row.
type saving struct {
	source *source
	next   tokenstore.ProviderToken // the row with it
	spent  string                   // the refresh token that it was had for
	access string
	// refresh is the refresh token from now on: spent, if there is no other.
	refresh string
	got     outcome
	// build makes the row with it of a row that still has what was spent.
	build func(row tokenstore.ProviderToken, t Token) tokenstore.ProviderToken
	// beside: the row keeps its own access token, and has this one beside it.
	beside bool
}

// save writes a fresh token back. The caller has it even if that fails.
func (v *Vault) save(ctx context.Context, s *source, row tokenstore.ProviderToken, t Token, fresh provider.Token, want *Want) (outcome, error) {
	spent := t.RefreshToken
	w := &saving{source: s, spent: spent, access: fresh.AccessToken, refresh: cmp.Or(fresh.RefreshToken, spent), beside: want != nil}
	w.build = func(row tokenstore.ProviderToken, _ Token) tokenstore.ProviderToken {
		return v.refreshed(row, spent, fresh)
	}
	if fresh.AccessToken == "" {
		w.access = t.AccessToken
		w.build = func(row tokenstore.ProviderToken, t Token) tokenstore.ProviderToken {
			return v.rotated(row, t, fresh)
		}
	}
	if w.beside {
		made := v.narrowedFor(*want, fresh)
		w.build = func(row tokenstore.ProviderToken, t Token) tokenstore.ProviderToken {
			return v.withNarrowed(row, t, made, fresh, w.refresh)
		}
	}
	w.next = w.build(row, t)
	w.got = outcome{refreshed: true, access: Access{
		AccessToken: fresh.AccessToken, TokenType: w.next.TokenType, Scope: w.next.Scope, ExpiresAt: w.next.ExpiresAt,
		lifetime: w.next.GetExpiresIn(),
	}}
	if w.beside {
		w.got.access = v.narrowedFor(*want, fresh).access()
	}
	waiting, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	for attempt := range saveAttempts {
		if attempt > 0 {
			v.pause(waiting, savePause<<attempt)
		}
		if saved, done, err := v.write(waiting, w); done {
			return saved, err
		}
	}
	v.later(ctx, func(ctx context.Context) bool {
		_, done, err := v.write(ctx, w)
		if !done && ctx.Err() != nil {
			v.lost(ctx, w, err)
		}
		return done
	})
	return w.got, nil
}

// write tries once to write a fresh token back. It is done when the row has it,
// or is not to have it.
func (v *Vault) write(ctx context.Context, w *saving) (saved outcome, done bool, err error) {
	_, failure := v.Store.UpdateProviderToken(ctx, w.next)
	if failure == nil {
		return w.got, true, nil
	}
	if !errors.Is(failure, tokenstore.ErrConflict) {
		return outcome{}, false, failure
	}
	now, err := v.Store.ProviderToken(ctx, w.next.Subject, w.next.Provider)
	if errors.Is(err, tokenstore.ErrNotFound) {
		// Removed meanwhile: what the provider gave must not outlive that.
		v.orphaned(ctx, w.source, w.next)
		return outcome{}, true, err
	}
	if err != nil {
		return outcome{}, false, err
	}
	t, err := v.open(now)
	switch {
	case err != nil:
		return outcome{}, false, err // sealed anew, by a secret that this node does not have
	case t.RefreshToken == w.refresh && (t.AccessToken == w.access || w.beside && w.refresh != w.spent):
		return w.got, true, nil // written, although the answer was lost
	case t.RefreshToken == w.spent:
		w.next = w.build(now, t) // sealed anew
		return outcome{}, false, failure
	}
	// The user has signed in anew meanwhile.
	if w.source.RevokeDisplaced {
		v.orphaned(ctx, w.source, w.next)
	}
	return outcome{row: now}, true, nil
}

// later tries something again in the background until it is done. The last try is
// with a context that has ended.
func (v *Vault) later(ctx context.Context, try func(ctx context.Context) (done bool)) {
	v.running.begin()
	go func() {
		defer v.running.end()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), v.laterFor)
		defer cancel()
		for {
			v.pause(ctx, laterPause)
			if try(ctx) || ctx.Err() != nil {
				return
			}
		}
	}()
}

func (v *Vault) lost(ctx context.Context, w *saving, err error) {
	v.counters.lost.Add(1)
	v.count(w.source, "lost")
	v.Logger.ErrorContext(ctx, "a fresh provider token could not be stored; the user may have to sign in at the provider again",
		"provider", w.source.Name(), "subject", w.next.Subject, "error", err)
}

// refreshed is a row with a fresh token. What the provider did not tell again
// stays as it was, the refresh token first of all (RFC 6749, section 6).
func (v *Vault) refreshed(row tokenstore.ProviderToken, spent string, fresh provider.Token) tokenstore.ProviderToken {
	refresh := cmp.Or(fresh.RefreshToken, spent)
	until := v.refreshExpiry(fresh.RefreshExpiresAt, refresh)
	if refresh == spent && fresh.RefreshExpiresAt.IsZero() && until.Before(row.RefreshExpiresAt) {
		until = row.RefreshExpiresAt
	}
	row.RefreshExpiresAt = until
	row.IssuedAt = v.Now()
	row.ExpiresAt = accessExpiry(fresh.ExpiresAt, fresh.AccessToken)
	row.AccessRevokedAt = time.Time{}
	row.NeedsReauth = false
	if fresh.TokenType != "" {
		row.TokenType = fresh.TokenType
	}
	if fresh.Scope != "" {
		row.Scope = fresh.Scope
	}
	return v.seal(row, fresh.AccessToken, refresh)
}

// rotated is a row with the refresh token that came with an access token that cannot be
// used. The row's own access token stays as it is.
func (v *Vault) rotated(row tokenstore.ProviderToken, t Token, fresh provider.Token) tokenstore.ProviderToken {
	row.RefreshExpiresAt = v.refreshExpiry(fresh.RefreshExpiresAt, fresh.RefreshToken)
	row.NeedsReauth = false
	return v.seal(row, t.AccessToken, fresh.RefreshToken)
}

// orphaned has a token revoked that is in no row.
func (v *Vault) orphaned(ctx context.Context, s *source, row tokenstore.ProviderToken) {
	e, err := tokenstore.NewRevocation(row, v.Now())
	if err == nil {
		err = v.Store.Enqueue(ctx, e)
	}
	if err != nil {
		v.Logger.WarnContext(ctx, "a provider token that nobody wants will not be revoked", "provider", s.Name(), "subject", row.Subject, "error", err)
	}
}

// pause waits, unless ctx ends.
func (v *Vault) pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
