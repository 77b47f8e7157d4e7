package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

const (
	// serviceUnknown is how long a token is used whose expiry the provider did not tell.
	serviceUnknown = 5 * time.Minute
	// serviceTimeout bounds one request for a token.
	serviceTimeout = 8 * time.Second
)

// Services are the tokens that providers issue for this gateway itself, and not for a
// person (RFC 6749, section 4.4). They are had anew when they expire, one request at a
// time, and kept in memory alone. It is safe for concurrent use. The zero value has no
// clock; see [NewServices].
type Services struct {
	now     func() time.Time
	flights singleflight.Group
	mu      sync.RWMutex
	known   map[string]*serviceToken
}

// serviceToken is one that was had, or when to try again.
type serviceToken struct {
	access  Access
	renew   time.Time // from then on, another one is had in the background
	until   time.Time
	failing bool
}

// NewServices has no tokens yet.
func NewServices(now func() time.Time) *Services {
	return &Services{now: now, known: make(map[string]*serviceToken)}
}

// Use returns a provider's token for the gateway with these scopes, the provider's
// default without any. One that is known costs no I/O and no allocation worth naming; it
// is renewed in the background when a tenth of its life is left. After a failure nobody
// asks for five seconds, and the former token is used while it is valid. Errors:
// [ErrProvider] if the provider issues none, [*UnavailableError].
func (s *Services) Use(ctx context.Context, p provider.Provider, scope ...string) (Access, error) {
	from, ok := p.(provider.ServiceProvider)
	if !ok {
		return Access{}, fmt.Errorf("using a service token of %q: %w", p.Name(), ErrProvider)
	}
	key := p.Name()
	if len(scope) > 0 {
		key += " " + strings.Join(scope, " ")
	}
	s.mu.RLock()
	has := s.known[key]
	s.mu.RUnlock()
	now := s.now()
	if has != nil && now.Before(has.until) {
		switch {
		case has.failing && !now.Before(has.renew):
		case has.failing && has.access.AccessToken == "":
			return Access{}, &UnavailableError{RetryAfter: has.renew.Sub(now)}
		case !now.Before(has.renew):
			s.fly(ctx, key, from, scope) // nobody waits for it
			return has.access, nil
		default:
			return has.access, nil
		}
	}
	select {
	case r := <-s.fly(ctx, key, from, scope):
		a, _ := r.Val.(Access)
		if r.Err != nil && has != nil && has.access.AccessToken != "" && now.Before(has.access.ExpiresAt) {
			return has.access, nil
		}
		return a, r.Err
	case <-ctx.Done():
		return Access{}, context.Cause(ctx)
	}
}

// fly asks for a token, however many want it. It belongs to none of them.
func (s *Services) fly(ctx context.Context, key string, from provider.ServiceProvider, scope []string) <-chan singleflight.Result {
	scope = slices.Clone(scope)
	ctx = context.WithoutCancel(ctx)
	return s.flights.DoChan(key, func() (any, error) {
		// A flight that ended since the caller looked may have had it.
		s.mu.RLock()
		has := s.known[key]
		s.mu.RUnlock()
		if has != nil && s.now().Before(has.renew) {
			if has.access.AccessToken == "" {
				return Access{}, &UnavailableError{RetryAfter: heldPause}
			}
			return has.access, nil
		}
		ctx, cancel := context.WithTimeout(ctx, serviceTimeout)
		defer cancel()
		token, err := from.ServiceToken(ctx, scope)
		now := s.now()
		if err == nil && !token.ExpiresAt.IsZero() && !now.Before(token.ExpiresAt) {
			err = errors.New("it has expired already")
		}
		if err != nil {
			s.failed(key, now)
			return Access{}, &UnavailableError{RetryAfter: heldPause, Err: err}
		}
		a := Access{AccessToken: token.AccessToken, TokenType: token.TokenType, Scope: token.Scope, ExpiresAt: token.ExpiresAt}
		until := token.ExpiresAt
		if until.IsZero() {
			until = now.Add(serviceUnknown)
		}
		life := until.Sub(now)
		s.put(key, &serviceToken{access: a, renew: now.Add(life - life/10), until: until.Add(-min(5*time.Second, life/20))})
		return a, nil
	})
}

// failed has nobody ask again at once. A token that is still valid stays in use.
func (s *Services) failed(key string, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := &serviceToken{renew: now.Add(heldPause), until: now.Add(heldPause), failing: true}
	if was := s.known[key]; was != nil && was.access.AccessToken != "" && now.Before(was.until) {
		next = &serviceToken{access: was.access, renew: earlier(next.renew, was.until), until: was.until}
	}
	s.known[key] = next
}

func (s *Services) put(key string, t *serviceToken) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known[key] = t
}
