package vault

import (
	"context"
	"errors"
	"fmt"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// Stored is what became of a token that was put into the vault.
type Stored struct {
	// Kept is the token that the vault now has.
	Kept Token
	// Displaced is the token that lost: the former one or, when that is live
	// and can do strictly more, the new one. Nil if there was none.
	Displaced *Token
}

// Put stores a subject's token from a provider. The refresh token expires when the
// provider said, else at its exp if it is a JWT, else after
// [Config.DefaultRefreshLifetime]. A token without a refresh token is kept until it
// expires or, if it does not (those of GitHub's OAuth Apps), until the provider
// refuses it. There is one token per subject and provider: the new one replaces the
// old one, unless the old one withstands it, see
// tokenstore.StoreOptions.Keeps. What was displaced is returned, and queued
// for revocation if the source says so.
//
// Errors: [ErrProvider]; tokenstore.ErrInvalid without a token or subject;
// tokenstore.ErrExpired; tokenstore.ErrUnavailable.
func (v *Vault) Put(ctx context.Context, subject, providerName string, t provider.Token) (Stored, error) {
	s := v.source(providerName)
	switch {
	case s == nil:
		return Stored{}, fmt.Errorf("storing token of %q: %w", providerName, ErrProvider)
	case subject == "":
		return Stored{}, fmt.Errorf("storing token of %s: subject is empty: %w", s.Name(), tokenstore.ErrInvalid)
	case t.RefreshToken == "" && t.AccessToken == "":
		return Stored{}, fmt.Errorf("storing token of %s: it is empty: %w", s.Name(), tokenstore.ErrInvalid)
	}
	row := v.seal(tokenstore.ProviderToken{
		Subject: subject, Provider: s.issuer(), ClientID: s.ClientID,
		TokenType: t.TokenType, Scope: t.Scope, IssuedAt: v.Now(),
		ExpiresAt: accessExpiry(t.ExpiresAt, t.AccessToken),
	}, t.AccessToken, t.RefreshToken)
	if row.CanRefresh() {
		row.RefreshExpiresAt = v.refreshExpiry(t.RefreshExpiresAt, t.RefreshToken)
	} else {
		row.RefreshExpiresAt = keptUntil(row.ExpiresAt)
	}
	if !row.IsLive(v.Now()) {
		return Stored{}, fmt.Errorf("storing token of %s: it has expired: %w", s.Name(), tokenstore.ErrExpired)
	}
	result, err := v.put(ctx, s, row)
	v.Forget(subject)
	if err != nil {
		return Stored{}, err
	}
	stored := Stored{}
	stored.Kept, _ = v.open(result.Kept)
	if result.Displaced != nil {
		displaced, _ := v.open(*result.Displaced)
		stored.Displaced = &displaced
	}
	return stored, nil
}

func (v *Vault) put(ctx context.Context, s *source, row tokenstore.ProviderToken) (tokenstore.StoreResult, error) {
	options := tokenstore.StoreOptions{RevokeDisplaced: s.RevokeDisplaced, Scope: s.scopes()}
	for {
		result, err := v.Store.StoreProviderToken(ctx, row, options)
		if err != nil {
			return result, err
		}
		if _, err := v.open(result.Kept); err == nil || result.Kept.IsSame(row) {
			return result, nil
		}
		// The wider token that stands in the way cannot be read any more, and
		// so is not one to prefer.
		result.Kept.NeedsReauth = true
		_, err = v.Store.UpdateProviderToken(ctx, result.Kept)
		if err != nil && !errors.Is(err, tokenstore.ErrConflict) {
			return result, err
		}
		if err := ctx.Err(); err != nil {
			return result, err
		}
	}
}
