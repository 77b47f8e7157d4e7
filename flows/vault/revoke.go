package vault

import (
	"context"
	"errors"
	"fmt"

	"github.com/gatehouse-auth/gatehouse/flows/outbox"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// Revoke tells a provider that a token is no longer wanted, as an entry of the
// outbox asks. It is a handler of package outbox. Both tokens are revoked, the
// refresh token first. A token that the vault has (again) is left alone.
func (v *Vault) Revoke(ctx context.Context, e tokenstore.OutboxEntry) error {
	row, err := e.Revocation()
	if err != nil {
		return fmt.Errorf("%w: %w", outbox.ErrFinal, err)
	}
	s := v.source(row.Provider)
	if s == nil {
		return fmt.Errorf("revoking token of %q: %w", row.Provider, ErrProvider) // another node may know it
	}
	t, err := v.open(row)
	switch {
	case errors.Is(err, ErrKey):
		return fmt.Errorf("revoking token of %s: %w", s.Name(), err) // the secret may come back
	case err != nil:
		return fmt.Errorf("revoking token of %s: %w: %w", s.Name(), outbox.ErrFinal, err)
	case s.refresher == nil:
		return nil
	case !t.CheckClient(s.ClientID):
		return fmt.Errorf("revoking token of %s: %w: it was issued to another client id", s.Name(), outbox.ErrFinal)
	}
	kept, err := v.isKept(ctx, t)
	if err != nil || kept {
		return err
	}
	if t.RefreshToken != "" {
		err = s.refresher.Revoke(ctx, t.RefreshToken, "refresh_token")
	}
	if errors.Is(err, provider.ErrUnavailable) {
		return err
	}
	// A provider may refuse to revoke one kind (RFC 7009, section 2.2.1).
	if t.AccessToken != "" {
		err2 := s.refresher.Revoke(ctx, t.AccessToken, "access_token")
		if errors.Is(err2, provider.ErrUnavailable) {
			return err2
		}
		if err2 != nil && (err != nil || t.RefreshToken == "") {
			return fmt.Errorf("%w: %w", outbox.ErrFinal, errors.Join(err, err2))
		}
	} else if err != nil {
		return fmt.Errorf("%w: %w", outbox.ErrFinal, err)
	}
	for _, n := range v.openNarrowed(row) {
		if n.isExpired(v.Now()) {
			continue
		}
		if err := s.refresher.Revoke(ctx, n.AccessToken, "access_token"); errors.Is(err, provider.ErrUnavailable) {
			return err
		}
	}
	v.counters.revoked.Add(1)
	return nil
}

// isKept reports whether the vault has the same refresh token, or without any the
// same access token. While secrets
// change, its hashes may differ, so that the store could not tell.
func (v *Vault) isKept(ctx context.Context, t Token) (bool, error) {
	row, err := v.Store.ProviderToken(ctx, t.Subject, t.Provider)
	if errors.Is(err, tokenstore.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	kept, err := v.open(row)
	same := kept.RefreshToken == t.RefreshToken && (t.RefreshToken != "" || kept.AccessToken == t.AccessToken)
	return err == nil && same, nil
}
