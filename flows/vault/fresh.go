package vault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/provider/outbound"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

const (
	// unknownLifetime is how long an access token is used whose expiry the
	// provider did not tell: DIRAC's default for access tokens.
	unknownLifetime = 20 * time.Minute
	// rounds of looking and refreshing before giving up: each but the last
	// ends because somebody else wrote the row.
	rounds = 4
)

// Fresh returns an access token of a provider for a subject that is good for at
// least minLeft, or a minute by default, refreshing it if need be. A token that
// lives no longer than minLeft as issued is returned when it is in the first
// half of its life: there is none fresher to be had. One without a refresh token is
// returned until it expires or is refused.
//
// While the provider cannot be reached, an access token that is still valid is
// returned although less than minLeft is left. Errors: [ErrProvider],
// tokenstore.ErrNotFound, [ErrNeedsReauth], [ErrKey], [ErrSealed],
// [*UnavailableError], tokenstore.ErrUnavailable.
func (v *Vault) Fresh(ctx context.Context, subject, providerName string, minLeft time.Duration) (Access, error) {
	s := v.source(providerName)
	if s == nil {
		return Access{}, fmt.Errorf("refreshing token of %q: %w", providerName, ErrProvider)
	}
	row, err := v.Store.ProviderToken(ctx, subject, s.issuer())
	if err != nil {
		return Access{}, err
	}
	waiting, cancel := context.WithTimeout(ctx, v.LeaseWait)
	defer cancel()
	former := ""
	for round := 0; round < rounds; {
		t, err := v.open(row)
		if err != nil {
			return Access{}, err
		}
		if v.isFresh(s, t, minLeft) {
			return t.access(), nil
		}
		// What other nodes have beside it is not what is waited for.
		if round == 0 || t.AccessToken != former || waiting.Err() != nil {
			former = t.AccessToken
			round++
		}
		if err := v.refusal(s, t); err != nil {
			return v.older(t, err)
		}
		next, err := v.renew(ctx, s, row)
		switch {
		case errors.Is(err, provider.ErrUnavailable), errors.Is(err, tokenstore.ErrUnavailable):
			return v.older(t, err)
		case err != nil:
			return Access{}, err
		case next.refreshed:
			return next.access, nil
		}
		row = next.row // somebody else wrote it
	}
	return Access{}, &UnavailableError{RetryAfter: firstBackoff}
}

// isFresh reports whether the access token needs no refresh.
func (v *Vault) isFresh(s *source, t Token, minLeft time.Duration) bool {
	if t.AccessToken == "" || t.NeedsReauth || !t.AccessRevokedAt.IsZero() || !outbound.IsBearer(t.TokenType) {
		return false
	}
	now := v.Now()
	if t.RefreshToken == "" {
		// That of another client is none for ever.
		return !t.IsExpired(now) && (!t.ExpiresAt.IsZero() || t.CheckClient(s.ClientID))
	}
	if t.ExpiresAt.IsZero() {
		return now.Sub(t.IssuedAt) < unknownLifetime
	}
	lifetime := t.GetExpiresIn()
	// The jitter keeps a crowd of callers from wanting a refresh at once.
	need := max(minLeft, min(defaultSkew+v.jitter(defaultSkew/10), lifetime/2))
	if need >= lifetime {
		need = lifetime / 2
	}
	return t.ExpiresAt.Sub(now) > need
}

// leastLife is how long an access token must have lived for another sign-in, of
// which nobody is told, to be worth while.
const leastLife = time.Minute

// refusal is why a token cannot be refreshed, whoever tries, or nil.
func (v *Vault) refusal(s *source, t Token) error {
	var why string
	switch {
	case t.RefreshToken == "" && t.NeedsReauth:
		why = "the token was refused, and there is no refresh token"
	case t.RefreshToken == "" && t.CheckClient(s.ClientID) && t.AccessRevokedAt.IsZero() && t.IsExpired(v.Now()) && t.GetExpiresIn() >= leastLife:
		return fmt.Errorf("refreshing token of %s: %w: %w", s.Name(), ErrNeedsReauth, &LapsedError{t.ExpiresAt})
	case t.RefreshToken == "":
		why = "there is no refresh token"
	case t.NeedsReauth:
		why = "its refresh token was refused"
	case !t.RefreshRevokedAt.IsZero():
		why = "its refresh token was revoked"
	case !v.Now().Before(t.RefreshExpiresAt):
		why = "its refresh token has expired"
	case s.refresher == nil:
		why = "its tokens cannot be refreshed"
	case !t.CheckClient(s.ClientID):
		why = "it was issued to another client id"
	default:
		return nil
	}
	return fmt.Errorf("refreshing token of %s: %w: %s", s.Name(), ErrNeedsReauth, why)
}

// older returns an access token that is still valid in place of a fresh one,
// else err.
func (v *Vault) older(t Token, err error) (Access, error) {
	valid := t.AccessToken != "" && !t.NeedsReauth && t.AccessRevokedAt.IsZero() && !t.IsExpired(v.Now()) &&
		outbound.IsBearer(t.TokenType) // others were kept by versions of before 2026-12
	if !valid || t.ExpiresAt.IsZero() && errors.Is(err, ErrNeedsReauth) {
		return Access{}, err
	}
	return t.access(), nil
}
