package vault

import (
	"context"
	"fmt"
	"slices"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// RemoveAccess removes the token with this access token, and returns it; none
// is no error. Like everything that is removed, it is revoked at its provider
// too, as soon as that can be reached.
func (v *Vault) RemoveAccess(ctx context.Context, accessToken string) ([]Token, error) {
	return v.removeHashed(ctx, accessHashLabel, accessToken, func(hash []byte) tokenstore.ProviderTokenQuery {
		return tokenstore.ProviderTokenQuery{AccessHash: hash}
	})
}

// RemoveRefresh removes the token with this refresh token; see
// [Vault.RemoveAccess].
func (v *Vault) RemoveRefresh(ctx context.Context, refreshToken string) ([]Token, error) {
	return v.removeHashed(ctx, refreshHashLabel, refreshToken, func(hash []byte) tokenstore.ProviderTokenQuery {
		return tokenstore.ProviderTokenQuery{RefreshHash: hash}
	})
}

// RemoveValue removes the token with this access or refresh token; see
// [Vault.RemoveAccess].
func (v *Vault) RemoveValue(ctx context.Context, token string) ([]Token, error) {
	removed, err := v.RemoveRefresh(ctx, token)
	if err != nil {
		return removed, err
	}
	more, err := v.RemoveAccess(ctx, token)
	if removed = append(removed, more...); err != nil || len(removed) > 0 {
		return removed, err
	}
	return v.removeNarrowed(ctx, token)
}

// removeNarrowed removes the token that an access token was narrowed from. Those have no
// hash to be found by, so that every row is looked at.
func (v *Vault) removeNarrowed(ctx context.Context, accessToken string) ([]Token, error) {
	if !slices.ContainsFunc(v.sources, func(s *source) bool { return s.narrower != nil }) {
		return nil, nil
	}
	q := tokenstore.ProviderTokenQuery{All: true, Limit: tokenstore.MaxPage}
	for {
		rows, err := v.Store.ListProviderTokens(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			if slices.ContainsFunc(v.openNarrowed(row), func(n narrowed) bool { return n.AccessToken == accessToken }) {
				return v.remove(ctx, tokenstore.ProviderTokenQuery{Subject: row.Subject, Provider: row.Provider})
			}
			q.AfterSubject, q.AfterProvider = row.Subject, row.Provider
		}
		if len(rows) < q.Limit {
			return nil, nil
		}
	}
}

// removeHashed removes by the hash of a token under every secret.
func (v *Vault) removeHashed(ctx context.Context, label, token string, query func(hash []byte) tokenstore.ProviderTokenQuery) ([]Token, error) {
	if token == "" {
		return nil, fmt.Errorf("removing provider token: the token is empty: %w", tokenstore.ErrInvalid)
	}
	var removed []Token
	for _, hash := range v.Keyring.MACs(label, []byte(token)) {
		rows, err := v.remove(ctx, query(hash))
		removed = append(removed, rows...)
		if err != nil {
			return removed, err
		}
	}
	return removed, nil
}

// RemoveSubject removes all tokens of a user; see [Vault.RemoveAccess].
func (v *Vault) RemoveSubject(ctx context.Context, subject string) ([]Token, error) {
	if subject == "" {
		return nil, fmt.Errorf("removing provider tokens: subject is empty: %w", tokenstore.ErrInvalid)
	}
	return v.remove(ctx, tokenstore.ProviderTokenQuery{Subject: subject})
}

// Remove removes a page of what a query selects, and returns what went. Nothing
// returned means that nothing is left. See [Vault.RemoveAccess].
func (v *Vault) Remove(ctx context.Context, q Query) ([]Token, error) {
	selected, err := v.query(q)
	if err != nil {
		return nil, err
	}
	rows, err := v.Store.DeleteProviderTokens(ctx, selected, false)
	return v.removed(rows), err
}

// remove removes everything that a query selects.
func (v *Vault) remove(ctx context.Context, q tokenstore.ProviderTokenQuery) ([]Token, error) {
	q.Limit = defaultPage
	var removed []Token
	for {
		rows, err := v.Store.DeleteProviderTokens(ctx, q, false)
		removed = append(removed, v.removed(rows)...)
		if err != nil || len(rows) < q.Limit {
			return removed, err
		}
	}
}

// removed has tokens that went used no more by this node.
func (v *Vault) removed(rows []tokenstore.ProviderToken) []Token {
	for _, row := range rows {
		v.Forget(row.Subject)
	}
	return v.openAll(rows)
}
