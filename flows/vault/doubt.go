package vault

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
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

// Doubts reports whether [Vault.Doubted] can find anything out about the tokens of
// a provider, by its name or issuer.
func (v *Vault) Doubts(providerName string) bool { return v.checks(providerName) }

// Doubted is told that an application, which was given an access token of Use,
// answered 401. An application has reasons of its own for that, so that its word
// alone changes nothing: the provider is asked, at most once a minute for a user
// (more often it costs no I/O), about a token that cannot be refreshed, and its word counts. was is who the user
// has been so far. [ErrNeedsReauth] when the provider refuses the token; nil when
// it does not, or nothing can be found out.
func (v *Vault) Doubted(ctx context.Context, subject, providerName, accessToken string, was identity.Claims) error {
	s := v.source(providerName)
	if s == nil || s.checker == nil || was.Issuer != s.issuer() || !s.asked.take(subject, v.Now()) {
		return nil
	}
	row, err := v.Store.ProviderToken(ctx, subject, s.issuer())
	if err != nil {
		return nil //nolint:nilerr // nothing is known
	}
	t, err := v.open(row)
	if err != nil || t.RefreshToken != "" || t.AccessToken != accessToken {
		return nil //nolint:nilerr // it can be refreshed, or there is another by now
	}
	if t.NeedsReauth {
		v.Forget(subject) // another node found it out
		return v.refusal(s, t)
	}
	if _, err := v.Recheck(ctx, subject, providerName, was); errors.Is(err, ErrNeedsReauth) {
		v.Forget(subject)
		return err
	}
	return nil
}
