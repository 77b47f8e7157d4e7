package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/vault"
)

// TokenInfo is one provider token in a listing. The token itself is never shown.
type TokenInfo struct {
	Subject   string     `json:"subject"`
	Provider  string     `json:"provider,omitempty"` // "" if it is not configured any more
	Issuer    string     `json:"issuer"`
	ClientID  string     `json:"client_id"`
	TokenType string     `json:"token_type,omitempty"`
	Scope     string     `json:"scope,omitempty"`
	IssuedAt  time.Time  `json:"issued_at"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	// RefreshExpiresAt is left out where there is no refresh token.
	RefreshExpiresAt *time.Time `json:"refresh_expires_at,omitempty"`
	AccessRevokedAt  *time.Time `json:"access_revoked_at,omitempty"`
	RefreshRevokedAt *time.Time `json:"refresh_revoked_at,omitempty"`
	// NeedsReauth: the provider refused it for good; the user must sign in
	// there again.
	NeedsReauth bool `json:"needs_reauth,omitempty"`
	// Unreadable: the secret that sealed it is not configured.
	Unreadable bool `json:"unreadable,omitempty"`
}

// tokenPage is a page of a listing, and where the next one begins.
type tokenPage struct {
	Tokens []TokenInfo `json:"tokens"`
	Next   *tokenNext  `json:"next,omitempty"`
}

type tokenNext struct {
	AfterSubject string `json:"after_subject"`
	AfterIssuer  string `json:"after_issuer"`
}

func (a *App) adminTokens(w http.ResponseWriter, r *http.Request) error {
	q, err := a.tokenQuery(r.URL.Query())
	if err != nil {
		return badRequest(err)
	}
	kept, err := a.vaultForAdmin()
	if err != nil {
		return a.adminError("listing provider tokens", err)
	}
	page, err := kept.List(r.Context(), q)
	if err != nil {
		return a.adminError("listing provider tokens", err)
	}
	answer := tokenPage{Tokens: tokenInfos(page.Tokens)}
	if page.Next != nil {
		answer.Next = &tokenNext{AfterSubject: page.Next.Subject, AfterIssuer: page.Next.Issuer}
	}
	return writeJSON(w, http.StatusOK, answer)
}

// adminRemoveTokens removes by conditions, in the URL, or by value, in the body: what
// is in a URL ends in logs.
func (a *App) adminRemoveTokens(w http.ResponseWriter, r *http.Request) error {
	value, err := tokenValue(w, r)
	if err != nil {
		return badRequest(err)
	}
	var q vault.Query
	if value == "" {
		if q, err = a.tokenQuery(r.URL.Query()); err != nil {
			return badRequest(err)
		}
	}
	kept, err := a.vaultForAdmin()
	if err != nil {
		return a.adminError("removing provider tokens", err)
	}
	var removed []vault.Token
	if value == "" {
		removed, err = a.gateway.Load().RemoveProviderTokens(r.Context(), kept, q)
	} else {
		removed, err = a.gateway.Load().RemoveProviderTokenValue(r.Context(), kept, value)
	}
	for _, t := range removed {
		a.logger.InfoContext(r.Context(), "provider token removed; it will be revoked at the provider", "subject", t.Subject, "issuer", t.Provider)
	}
	if err != nil {
		return a.adminError("removing provider tokens", err)
	}
	return writeJSON(w, http.StatusOK, tokenPage{Tokens: tokenInfos(removed)})
}

// maxTokenForm is how long the form may be that names a token by its value, in bytes.
const maxTokenForm = 64 << 10

// tokenValue is the token that the body names, or "" where there is no body.
func tokenValue(w http.ResponseWriter, r *http.Request) (string, error) {
	if r.ContentLength == 0 {
		return "", nil
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxTokenForm)
	if err := r.ParseForm(); err != nil {
		return "", errors.New("the form cannot be read") // the cause might quote the token
	}
	tokens := r.PostForm["token"]
	switch {
	case len(r.PostForm) != 1 || len(tokens) != 1 || tokens[0] == "":
		return "", errors.New("the body must be a form of one token: token=…")
	case r.URL.RawQuery != "":
		return "", errors.New("say which: either conditions in the URL, or a token in the body")
	}
	return tokens[0], nil
}

// vaultForAdmin is the vault, or one without providers: tokens of former
// configurations may still be there.
func (a *App) vaultForAdmin() (*vault.Vault, error) {
	if kept := a.gateway.Load().Vault; kept != nil {
		return kept, nil
	}
	return vault.New(vault.Config{Store: a.shared.store, Keyring: a.shared.keys, Now: time.Now, Logger: a.logger})
}

// tokenQuery reads what is selected, and refuses a provider that cannot have
// tokens: none that is configured, nor the issuer of one that was.
func (a *App) tokenQuery(query url.Values) (vault.Query, error) {
	q, err := parseTokenQuery(query)
	if err != nil || q.Provider == "" || strings.Contains(q.Provider, "://") {
		return q, err
	}
	for _, p := range a.providers {
		if q.Provider == p.Name() || q.Provider == p.Issuer() {
			return q, nil
		}
	}
	names := a.providerNames()
	suggestion := didYouMean(q.Provider, names)
	if !strings.Contains(suggestion, "known:") {
		suggestion += " Known: " + strings.Join(slices.Sorted(slices.Values(names)), ", ")
	}
	return q, fmt.Errorf("there is no provider %q%s (one that was removed goes by its issuer, https://…)", q.Provider, suggestion)
}

// parseTokenQuery reads what is selected. A misspelt condition must not select
// more.
func parseTokenQuery(query url.Values) (vault.Query, error) {
	var q vault.Query
	set := map[string]func(string) error{
		"subject":        textCondition(&q.Subject),
		"provider":       textCondition(&q.Provider),
		"client_id":      textCondition(&q.ClientID),
		"after_subject":  textCondition(&q.After.Subject),
		"after_issuer":   textCondition(&q.After.Issuer),
		"all":            boolCondition(func(on bool) { q.All = on }),
		"revoked":        boolCondition(func(on bool) { q.Revoked = &on }),
		"expired_before": timeCondition(&q.ExpiredBefore),
		"limit": func(s string) error {
			n, err := strconv.Atoi(s)
			if err != nil || n < 1 || n > 1000 {
				return errors.New("is not a number from 1 to 1000")
			}
			q.Limit = n
			return nil
		},
	}
	for name, values := range query {
		f, known := set[name]
		if !known || len(values) != 1 || values[0] == "" {
			return q, errors.New("the condition " + strconv.Quote(name) + " is unknown, empty or repeated")
		}
		if err := f(values[0]); err != nil {
			return q, errors.New(name + " " + err.Error())
		}
	}
	if q.Subject == "" && q.Provider == "" && q.ClientID == "" && q.ExpiredBefore.IsZero() && q.Revoked == nil && !q.All {
		return q, errors.New("say which: subject=…, provider=…, client_id=…, expired_before=…, revoked=true|false, or all=true")
	}
	return q, nil
}

func textCondition(target *string) func(string) error {
	return func(s string) error {
		*target = s
		return nil
	}
}

func boolCondition(set func(bool)) func(string) error {
	return func(s string) error {
		if s != "true" && s != "false" {
			return errors.New("is neither true nor false")
		}
		set(s == "true")
		return nil
	}
}

func timeCondition(target *time.Time) func(string) error {
	return func(s string) error {
		at, err := time.Parse(time.RFC3339, s)
		if err != nil {
			return errors.New("is not a time such as 2026-01-31T12:00:00Z")
		}
		*target = at
		return nil
	}
}

func tokenInfos(tokens []vault.Token) []TokenInfo {
	infos := make([]TokenInfo, 0, len(tokens))
	for _, t := range tokens {
		var refreshable time.Time
		if t.CanRefresh() {
			refreshable = t.RefreshExpiresAt
		}
		infos = append(infos, TokenInfo{
			Subject: t.Subject, Provider: t.ProviderName, Issuer: t.Provider, ClientID: t.ClientID, TokenType: t.TokenType, Scope: t.Scope,
			IssuedAt: t.IssuedAt, ExpiresAt: unlessZero(t.ExpiresAt), RefreshExpiresAt: unlessZero(refreshable),
			AccessRevokedAt: unlessZero(t.AccessRevokedAt), RefreshRevokedAt: unlessZero(t.RefreshRevokedAt),
			NeedsReauth: t.NeedsReauth, Unreadable: t.Err != nil,
		})
	}
	return infos
}

func unlessZero(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
