package vault

import (
	"context"
	"fmt"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// Get returns a subject's token for a provider, by the provider's name or
// issuer. Errors: tokenstore.ErrNotFound, [ErrKey], [ErrSealed],
// tokenstore.ErrUnavailable.
//
// For a token to be used now see [Vault.Fresh].
func (v *Vault) Get(ctx context.Context, subject, providerName string) (Token, error) {
	row, err := v.Store.ProviderToken(ctx, subject, v.issuerOf(providerName))
	if err != nil {
		return Token{}, err
	}
	return v.open(row)
}

// Query selects tokens. Zero fields do not limit.
type Query struct {
	Subject  string
	Provider string // name or issuer
	ClientID string
	// ExpiredBefore selects tokens whose refresh token had expired at that
	// time.
	ExpiredBefore time.Time
	// Revoked, when not nil, selects by whether either token was revoked.
	Revoked *bool
	// All must be set for a query without any other condition.
	All bool
	// After continues a listing behind the last page's [Page.Next].
	After Position
	// Limit of a page: 1 to 1,000; 0 is 100.
	Limit int
}

// Position is a place in a listing, which is ordered by subject and issuer.
type Position struct{ Subject, Issuer string }

// Page of a listing.
type Page struct {
	Tokens []Token
	// Next is where the next page begins; nil at the end.
	Next *Position
}

const defaultPage = 100

func (v *Vault) query(q Query) (tokenstore.ProviderTokenQuery, error) {
	out := tokenstore.ProviderTokenQuery{
		Subject: q.Subject, ClientID: q.ClientID, ExpiredBefore: q.ExpiredBefore, Revoked: q.Revoked, All: q.All,
		AfterSubject: q.After.Subject, AfterProvider: q.After.Issuer, Limit: q.Limit,
	}
	if q.Provider != "" {
		out.Provider = v.issuerOf(q.Provider)
	}
	if out.Limit == 0 {
		out.Limit = defaultPage
	}
	if q.Subject == "" && q.Provider == "" && q.ClientID == "" && q.ExpiredBefore.IsZero() && q.Revoked == nil && !q.All {
		return out, fmt.Errorf("selecting provider tokens: nothing is asked for: %w", tokenstore.ErrInvalid)
	}
	return out, nil
}

// List returns a page of tokens, ordered by subject and issuer. One that cannot
// be opened is there too, and says so in its Err. Errors:
// tokenstore.ErrInvalid for a query without a condition and without All,
// tokenstore.ErrUnavailable.
func (v *Vault) List(ctx context.Context, q Query) (Page, error) {
	selected, err := v.query(q)
	if err != nil {
		return Page{}, err
	}
	rows, err := v.Store.ListProviderTokens(ctx, selected)
	if err != nil {
		return Page{}, err
	}
	page := Page{Tokens: v.openAll(rows)}
	if len(rows) == selected.Limit {
		last := rows[len(rows)-1]
		page.Next = &Position{Subject: last.Subject, Issuer: last.Provider}
	}
	return page, nil
}

func (v *Vault) openAll(rows []tokenstore.ProviderToken) []Token {
	tokens := make([]Token, 0, len(rows))
	for _, row := range rows {
		t, _ := v.open(row)
		tokens = append(tokens, t)
	}
	return tokens
}
