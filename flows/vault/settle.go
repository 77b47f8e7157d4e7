package vault

import (
	"errors"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// isFinal reports whether a provider refused a grant for good.
func isFinal(err error) bool {
	return errors.Is(err, provider.ErrGrant) || errors.Is(err, provider.ErrGone)
}

// paused is why the provider is not to be asked now, or nil.
func (v *Vault) paused(s *source, row tokenstore.ProviderToken, ask asking) error {
	now := v.Now()
	wait, _ := s.pauses.wait(now, row.Subject, row.Version)
	wait = max(wait, s.breaker.wait(now))
	var cause error
	if ask.purpose != "" {
		var alone time.Duration
		alone, cause = s.purposes.wait(now, ask.purpose, 0)
		wait = max(wait, alone)
	}
	if wait > 0 {
		return &UnavailableError{RetryAfter: wait, Err: cause}
	}
	return nil
}

// settle notes what became of asking, and returns how long not to ask again. What is
// asked for a purpose is of a client's choice: if it fails, only that purpose of that
// person waits.
func (v *Vault) settle(s *source, row tokenstore.ProviderToken, ask asking, got reply, err error, spends bool) time.Duration {
	now, final, refused := v.Now(), isFinal(err), errors.Is(err, provider.ErrRefused)
	answered := err == nil || got.isUsable() || final || refused || !spends && errors.Is(err, provider.ErrResponse)
	if ask.purpose != "" && !answered {
		s.breaker.abstain()
		return s.purposes.begin(now, ask.purpose, 0, err, v.jitter)
	}
	pause := s.breaker.leave(now, answered, v.jitter)
	switch {
	case ask.purpose != "" && (err == nil || final):
		s.purposes.end(ask.purpose)
	case ask.purpose != "":
		return s.purposes.begin(now, ask.purpose, 0, err, v.jitter)
	case refused && !got.isUsable():
		return s.pauses.begin(now, row.Subject, row.Version, err, v.jitter)
	}
	return pause
}
