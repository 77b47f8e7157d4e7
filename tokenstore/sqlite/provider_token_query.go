package sqlite

import (
	"cmp"
	"context"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// ListProviderTokens lists tokens, ordered by subject and provider, byte by
// byte.
func (s *Store) ListProviderTokens(ctx context.Context, q tokenstore.ProviderTokenQuery) ([]tokenstore.ProviderToken, error) {
	list, err := s.listProviderTokens(ctx, q)
	return list, wrap("listing provider tokens", err)
}

func (s *Store) listProviderTokens(ctx context.Context, q tokenstore.ProviderTokenQuery) ([]tokenstore.ProviderToken, error) {
	query, args, err := selectProviderTokens(q)
	if err != nil {
		return nil, err
	}
	reader, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	return all(ctx, reader, scanProviderToken, query, args...)
}

// DeleteProviderTokens deletes what the query selects, a page of it, and
// returns what went. Unless quiet, each is queued for revocation at its
// provider in the same transaction.
func (s *Store) DeleteProviderTokens(ctx context.Context, q tokenstore.ProviderTokenQuery, quiet bool) ([]tokenstore.ProviderToken, error) {
	query, args, err := selectProviderTokens(q)
	if err != nil {
		return nil, wrap("deleting provider tokens", err)
	}
	var gone []tokenstore.ProviderToken
	err = s.write(ctx, func(t *tx) error {
		gone, err = all(ctx, t, scanProviderToken, query, args...)
		if err != nil {
			return err
		}
		for _, token := range gone {
			if _, err := t.exec(ctx, `DELETE FROM provider_token WHERE subject = ? AND provider = ?`,
				token.Subject, token.Provider); err != nil {
				return err
			}
			if quiet {
				continue
			}
			if err := t.queueRevocation(ctx, token); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, wrap("deleting provider tokens", err)
	}
	return gone, nil
}

// selectProviderTokens is the statement for a page of tokens.
func selectProviderTokens(q tokenstore.ProviderTokenQuery) (string, []any, error) {
	if err := q.Validate(); err != nil {
		return "", nil, err
	}
	w := providerTokenConditions(q)
	if q.AfterSubject != "" || q.AfterProvider != "" {
		w.add("(subject, provider) > (?, ?)", q.AfterSubject, q.AfterProvider)
	}
	return `SELECT ` + providerTokenColumns + ` FROM provider_token` + w.clause() + ` ORDER BY subject, provider LIMIT ?`,
		append(w.args, cmp.Or(q.Limit, tokenstore.DefaultPage)), nil
}

func providerTokenConditions(q tokenstore.ProviderTokenQuery) where {
	var w where
	if q.Subject != "" {
		w.add("subject = ?", q.Subject)
	}
	if q.Provider != "" {
		w.add("provider = ?", q.Provider)
	}
	if q.ClientID != "" {
		w.add("client_id = ?", q.ClientID)
	}
	if len(q.AccessHash) > 0 {
		w.add("access_hash = ?", q.AccessHash)
	}
	if len(q.RefreshHash) > 0 {
		w.add("refresh_hash = ?", q.RefreshHash)
	}
	if !q.ExpiredBefore.IsZero() {
		w.add("refresh_expires_at <= ?", q.ExpiredBefore.UnixMicro())
	}
	if q.Revoked != nil {
		w.add("(access_revoked_at IS NOT NULL OR refresh_revoked_at IS NOT NULL) = ?", *q.Revoked)
	}
	if q.KeyIDNot != "" {
		w.add("key_id <> ?", q.KeyIDNot)
	}
	return w
}
