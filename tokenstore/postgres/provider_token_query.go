package postgres

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// ListProviderTokens lists tokens, ordered by subject and provider, byte by
// byte.
func (s *Store) ListProviderTokens(ctx context.Context, q tokenstore.ProviderTokenQuery) ([]tokenstore.ProviderToken, error) {
	list, err := s.listProviderTokens(ctx, q)
	return list, wrap("listing provider tokens", err)
}

func (s *Store) listProviderTokens(ctx context.Context, q tokenstore.ProviderTokenQuery) ([]tokenstore.ProviderToken, error) {
	page, args, err := providerTokenPage(q)
	if err != nil {
		return nil, err
	}
	var list []tokenstore.ProviderToken
	err = s.try(ctx, repeatable, func(ctx context.Context) error {
		list, err = all(ctx, s.pool, scanProviderToken, `SELECT `+providerColumns+page, args...)
		return err
	})
	return list, err
}

// DeleteProviderTokens deletes what the query selects, a page of it, and
// returns what went. Unless quiet, each is queued for revocation at its
// provider in the same transaction.
func (s *Store) DeleteProviderTokens(ctx context.Context, q tokenstore.ProviderTokenQuery, quiet bool) ([]tokenstore.ProviderToken, error) {
	page, args, err := providerTokenPage(q)
	if err != nil {
		return nil, wrap("deleting provider tokens", err)
	}
	query := `
		DELETE FROM provider_token p USING (SELECT p.sub, p.provider` + page + ` FOR UPDATE) chosen
		WHERE p.sub = chosen.sub AND p.provider = chosen.provider
		RETURNING ` + providerColumns
	var gone []tokenstore.ProviderToken
	err = s.inTx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		gone, err = all(ctx, tx, scanProviderToken, query, args...)
		if err != nil || quiet || len(gone) == 0 {
			return err
		}
		return s.queueRevocations(ctx, tx, gone)
	})
	if err != nil {
		return nil, wrap("deleting provider tokens", err)
	}
	slices.SortFunc(gone, func(a, b tokenstore.ProviderToken) int {
		return cmp.Or(cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Provider, b.Provider))
	})
	return gone, nil
}

func (s *Store) queueRevocations(ctx context.Context, tx pgx.Tx, tokens []tokenstore.ProviderToken) error {
	now, err := one(ctx, tx, pgx.RowTo[time.Time], s.plain(`SELECT {now}`))
	if err != nil {
		return err
	}
	for _, token := range tokens {
		if err := s.queueRevocation(ctx, tx, token, now); err != nil {
			return err
		}
	}
	return nil
}

// providerTokenPage is the part of a statement, from FROM on, that selects a
// page of tokens.
func providerTokenPage(q tokenstore.ProviderTokenQuery) (string, []any, error) {
	if err := q.Validate(); err != nil {
		return "", nil, err
	}
	w := providerTokenConditions(q)
	if q.AfterSubject != "" || q.AfterProvider != "" {
		w.add("(p.sub, p.provider) > (%s, %s)", q.AfterSubject, q.AfterProvider)
	}
	page := ` FROM provider_token p` + w.clause() + ` ORDER BY p.sub, p.provider LIMIT ` + w.placeholder(cmp.Or(q.Limit, tokenstore.DefaultPage))
	return page, w.args, nil
}

func providerTokenConditions(q tokenstore.ProviderTokenQuery) *where {
	var w where
	if q.Subject != "" {
		w.add("p.sub = %s", q.Subject)
	}
	if q.Provider != "" {
		w.add("p.provider = %s", q.Provider)
	}
	if q.ClientID != "" {
		w.add("p.client_id = %s", q.ClientID)
	}
	if len(q.AccessHash) > 0 {
		w.add("p.access_hash = %s", q.AccessHash)
	}
	if len(q.RefreshHash) > 0 {
		w.add("p.refresh_hash = %s", q.RefreshHash)
	}
	if !q.ExpiredBefore.IsZero() {
		w.add("p.refresh_expires_at <= %s", q.ExpiredBefore)
	}
	if q.Revoked != nil {
		w.add("(p.access_revoked_at IS NOT NULL OR p.refresh_revoked_at IS NOT NULL) = %s", *q.Revoked)
	}
	if q.KeyIDNot != "" {
		w.add("p.key_id <> %s", q.KeyIDNot)
	}
	return &w
}

var _ tokenstore.ProviderTokens = (*Store)(nil)
