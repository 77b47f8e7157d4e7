package sqlite

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// LeaseProviderToken takes the right to refresh a token, for at most d. Who
// holds the lease already gets it anew, or with a d of 0 gives it up: nobody
// gives up what another has held since.
func (s *Store) LeaseProviderToken(ctx context.Context, subject, provider string, version int64, owner string, d time.Duration) (tokenstore.ProviderToken, error) {
	invalid := cmp.Or(
		tokenstore.ValidateText("subject", subject),
		tokenstore.ValidateText("provider", provider),
		tokenstore.ValidateRequired("lease's owner", owner),
	)
	if invalid != nil {
		return tokenstore.ProviderToken{}, wrap("leasing provider token", invalid)
	}
	var leased tokenstore.ProviderToken
	err := s.write(ctx, func(t *tx) error {
		token, err := one(ctx, t, scanProviderToken, selectProviderToken, subject, provider)
		switch {
		case err != nil:
			return err
		case token.Version != version:
			return tokenstore.ErrConflict
		case token.LeaseOwner != owner && (d <= 0 || t.now.Before(token.LeaseUntil)):
			return tokenstore.ErrConflict
		}
		until := t.now.Add(d)
		if d <= 0 {
			owner, until = "", time.Time{}
		}
		leased, err = one(ctx, t, scanProviderToken, `
			UPDATE provider_token SET lease_owner = ?, lease_until = ?
			WHERE subject = ? AND provider = ? RETURNING `+providerTokenColumns,
			owner, micros(until), subject, provider)
		return err
	})
	return leased, wrap("leasing provider token", err)
}

// UpdateProviderToken writes a token back whose Version is still the row's,
// ends the lease and returns the new row; else [tokenstore.ErrConflict]. A
// LeaseOwner without LeaseUntil stays.
func (s *Store) UpdateProviderToken(ctx context.Context, token tokenstore.ProviderToken) (tokenstore.ProviderToken, error) {
	if err := cmp.Or(token.Validate(), tokenstore.ValidateText("lease's owner", token.LeaseOwner)); err != nil {
		return tokenstore.ProviderToken{}, wrap("updating provider token", err)
	}
	var updated tokenstore.ProviderToken
	err := s.write(ctx, func(t *tx) error {
		former, err := one(ctx, t, scanProviderToken, selectProviderToken, token.Subject, token.Provider)
		switch {
		case errors.Is(err, tokenstore.ErrNotFound):
			return tokenstore.ErrConflict
		case err != nil:
			return err
		case former.Version != token.Version:
			return tokenstore.ErrConflict
		}
		token.Version = max(t.now.UnixMicro(), former.Version+1)
		if !token.LeaseUntil.IsZero() {
			token.LeaseOwner, token.LeaseUntil = "", time.Time{}
		}
		updated, err = t.writeProviderToken(ctx, token)
		return err
	})
	return updated, wrap("updating provider token", err)
}
