package vault

import (
	"context"
	"fmt"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

// Rechecks reports whether a provider, by its name or issuer, can be asked again
// who its users are.
func (v *Vault) Rechecks(providerName string) bool {
	s := v.source(providerName)
	return s != nil && s.rechecker != nil
}

// Expiry is when the access token of a subject expires, or is taken to; zero where
// the provider can be asked about it at any time, since nothing is spent for that.
// Errors:
// tokenstore.ErrNotFound, [ErrNeedsReauth] when it cannot be refreshed,
// tokenstore.ErrUnavailable.
func (v *Vault) Expiry(ctx context.Context, subject, providerName string) (time.Time, error) {
	row, err := v.Store.ProviderToken(ctx, subject, v.issuerOf(providerName))
	switch {
	case err != nil:
		return time.Time{}, err
	case row.NeedsReauth || !row.RefreshRevokedAt.IsZero() || !row.CanRefresh() && (!v.checks(providerName) || !row.IsLive(v.Now())):
		return time.Time{}, ErrNeedsReauth
	case !row.CanRefresh():
		return time.Time{}, nil
	case row.ExpiresAt.IsZero():
		return row.IssuedAt.Add(unknownLifetime), nil
	}
	return row.ExpiresAt, nil
}

// Recheck asks a provider who the user of a token is now, by refreshing it, or with
// the access token where there is no refresh token and the provider is a
// [provider.TokenChecker]: one at a time in the process and, by the lease, across nodes. The rotated token is
// written back. was is who the user has been so far. Errors as for
// [Vault.Fresh]; [ErrNeedsReauth] is final.
func (v *Vault) Recheck(ctx context.Context, subject, providerName string, was identity.Claims) (identity.Claims, error) {
	return v.recheck(ctx, subject, providerName, was, func(provider.Result) {})
}

// IDToken has a provider issue a new ID token of somebody, by refreshing the token that
// is kept, or returns "" where its answer has none (OpenID Connect Core, section 12.2).
// It is a secret. Errors as for [Vault.Recheck].
func (v *Vault) IDToken(ctx context.Context, subject, providerName string, was identity.Claims) (string, error) {
	var idToken string
	_, err := v.recheck(ctx, subject, providerName, was, func(r provider.Result) { idToken = r.IDToken })
	return idToken, err
}

// recheck is Recheck that tells what the provider answered, unless somebody else asked.
func (v *Vault) recheck(ctx context.Context, subject, providerName string, was identity.Claims, tell func(provider.Result)) (identity.Claims, error) {
	s := v.source(providerName)
	if s == nil || s.rechecker == nil {
		return identity.Claims{}, fmt.Errorf("asking %q again: %w", providerName, ErrProvider)
	}
	ask := func(ctx context.Context, s *source, t Token) (reply, error) {
		if t.RefreshToken == "" {
			claims, err := s.checker.CheckToken(ctx, t.issued(), was)
			return reply{claims: &claims}, err
		}
		result, err := s.rechecker.Recheck(ctx, t.RefreshToken, was)
		if err != nil {
			return reply{token: result.Token}, err
		}
		tell(result)
		return reply{token: result.Token, claims: &result.Claims}, nil
	}
	row, err := v.Store.ProviderToken(ctx, subject, s.issuer())
	if err != nil {
		return identity.Claims{}, err
	}
	defer v.turns.first(row)()
	for range rounds {
		t, err := v.open(row)
		if err != nil {
			return identity.Claims{}, err
		}
		if err := v.unaskable(s, t); err != nil {
			return identity.Claims{}, err
		}
		next, err := v.fly(ctx, "recheck:"+flightKey(row), s, row, asking{ask: ask})
		switch {
		case err != nil:
			return identity.Claims{}, err
		case next.claims != nil:
			v.Forget(subject) // some providers end the former access token at once
			return *next.claims, nil
		case next.row.Version == row.Version:
			return identity.Claims{}, &UnavailableError{RetryAfter: firstBackoff}
		}
		row = next.row // somebody else wrote it
	}
	return identity.Claims{}, &UnavailableError{RetryAfter: firstBackoff}
}

// checks reports whether a provider can be asked about a token without a refresh
// token.
func (v *Vault) checks(providerName string) bool {
	s := v.source(providerName)
	return s != nil && s.checker != nil
}

// unaskable is why a provider cannot be asked about a token, or nil.
func (v *Vault) unaskable(s *source, t Token) error {
	if t.RefreshToken == "" && s.checker != nil && t.CheckClient(s.ClientID) && t.IsLive(v.Now()) {
		return nil
	}
	return v.refusal(s, t)
}
