package vault

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// doubtEvery is the least time between two questions of one node about one user's
// token that an application refused.
const doubtEvery = time.Minute

// maxAsked bounds the users that a node remembers to have asked about.
const maxAsked = 10_000

// asked is when a provider was last asked because an application refused a token.
type asked struct {
	mu sync.Mutex
	at map[string]time.Time // by subject
}

// take reports whether it may be asked now, and if so notes that it is.
func (a *asked) take(subject string, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if last, ok := a.at[subject]; ok && now.Sub(last) < doubtEvery {
		return false
	}
	if a.at == nil || len(a.at) >= maxAsked {
		a.at = make(map[string]time.Time)
	}
	a.at[subject] = now
	return true
}

// doubtAfter is how old a token must be for an application's word to count where its
// provider cannot be asked: no sign-in is asked for because the one of just now was
// in vain.
const doubtAfter = 15 * time.Minute

// Doubted is told that an application, which was given an endless access token of
// Use, answered 401. An application has reasons of its own for that, so that its word
// alone ends nothing: the provider is asked, at most once a minute for a user (more
// often it costs no I/O), and its word counts. was is who the user has been so far.
//
// Of a provider that is no [provider.TokenChecker] nothing more can be found out. The
// user is to sign in there again, if the token is older than a quarter of an hour:
// the worst that an application can do by that is one sign-in in that time. No
// session ends for it.
//
// [ErrNeedsReauth] when the token is refused; nil when it is not, or nothing can be
// found out.
func (v *Vault) Doubted(ctx context.Context, subject, providerName, accessToken string, was identity.Claims) error {
	s := v.source(providerName)
	if s == nil || was.Issuer != s.issuer() || !s.asked.take(subject, v.Now()) {
		return nil
	}
	row, err := v.Store.ProviderToken(ctx, subject, s.issuer())
	if err != nil {
		return nil //nolint:nilerr // nothing is known
	}
	t, err := v.open(row)
	if err != nil || !t.isEndless() || t.AccessToken != accessToken {
		return nil //nolint:nilerr // there is another by now
	}
	switch {
	case t.NeedsReauth: // another node found it out
	case s.checker != nil:
		if _, err := v.Recheck(ctx, subject, providerName, was); !errors.Is(err, ErrNeedsReauth) {
			return nil
		}
	case v.Now().Sub(t.IssuedAt) < doubtAfter:
		return nil
	default:
		row.NeedsReauth = true
		if _, err := v.Store.UpdateProviderToken(ctx, row); err != nil && !errors.Is(err, tokenstore.ErrConflict) {
			return nil //nolint:nilerr // it is told again
		}
		v.Logger.InfoContext(ctx, "an application refuses a token that does not expire, and the provider cannot be asked about it; the user must sign in there again",
			"provider", s.Name(), "subject", subject)
	}
	v.Forget(subject)
	return fmt.Errorf("using token of %s: %w: it is refused, and there is no refresh token", s.Name(), ErrNeedsReauth)
}
