package vault

import (
	"context"
	"errors"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// saveAttempts are how often it is tried to write a fresh token back, with
// pauses from savePause on: the provider may have spent the old one for it.
const (
	saveAttempts = 6
	savePause    = 50 * time.Millisecond
)

// save writes a fresh token back. The caller has it even if that fails.
func (v *Vault) save(ctx context.Context, s *source, row tokenstore.ProviderToken, spent string, fresh provider.Token) (outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	next := v.refreshed(row, spent, fresh)
	got := outcome{refreshed: true, access: Access{
		AccessToken: fresh.AccessToken, TokenType: next.TokenType, Scope: next.Scope, ExpiresAt: next.ExpiresAt,
		lifetime: next.GetExpiresIn(),
	}}
	var failure error
	for attempt := range saveAttempts {
		if attempt > 0 {
			v.pause(ctx, savePause<<attempt)
		}
		_, failure = v.Store.UpdateProviderToken(ctx, next)
		if failure == nil {
			return got, nil
		}
		if !errors.Is(failure, tokenstore.ErrConflict) {
			continue
		}
		now, err := v.Store.ProviderToken(ctx, row.Subject, row.Provider)
		if errors.Is(err, tokenstore.ErrNotFound) {
			// Removed meanwhile: what the provider gave must not outlive that.
			v.orphaned(ctx, s, next)
			return outcome{}, err
		}
		if err != nil {
			failure = err
			continue
		}
		t, err := v.open(now)
		switch {
		case err == nil && t.RefreshToken == spent && t.AccessToken != fresh.AccessToken:
			next.Version = now.Version // resealed meanwhile
		case err == nil && t.AccessToken == fresh.AccessToken:
			return got, nil // written, although the answer was lost
		default: // the user has signed in anew meanwhile
			if s.RevokeDisplaced {
				v.orphaned(ctx, s, next)
			}
			return outcome{row: now}, nil
		}
	}
	v.counters.lost.Add(1)
	v.count(s, "lost")
	v.Logger.ErrorContext(ctx, "a fresh provider token could not be stored; the user may have to sign in at the provider again",
		"provider", s.Name(), "subject", row.Subject, "error", failure)
	return got, nil
}

// refreshed is a row with a fresh token. What the provider did not tell again
// stays as it was, the refresh token first of all (RFC 6749, section 6).
func (v *Vault) refreshed(row tokenstore.ProviderToken, spent string, fresh provider.Token) tokenstore.ProviderToken {
	refresh := fresh.RefreshToken
	if refresh == "" {
		refresh = spent
	}
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
