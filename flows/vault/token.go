package vault

import (
	"fmt"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// Token is a provider token that was opened. Its fields AccessToken and
// RefreshToken are secrets; those of the row are sealed.
type Token struct {
	tokenstore.ProviderToken
	// ProviderName is the name of the provider's block; "" if there is none
	// any more. The row names the provider by its issuer.
	ProviderName string
	AccessToken  string `json:"-"`
	RefreshToken string `json:"-"`
	// Err says why the tokens could not be opened: [ErrKey] or [ErrSealed].
	// Everything else is as stored.
	Err error `json:"-"`
}

// String says whose token it is, and nothing of the secrets.
func (t Token) String() string { return "token of provider " + t.Provider }

// GoString is String, for %#v.
func (t Token) GoString() string { return t.String() }

// Access is an access token to be used now. It is a secret; the refresh token
// never leaves the vault this way.
type Access struct {
	AccessToken string `json:"-"`
	TokenType   string
	Scope       string
	ExpiresAt   time.Time // zero: unknown
	// Endless: it neither expires nor can be refreshed, and so is used until it is
	// refused; see [Vault.Doubted].
	Endless bool

	lifetime time.Duration // as issued
}

// String says what it is, and nothing of the secret.
func (Access) String() string { return "provider's access token" }

// GoString is String, for %#v.
func (a Access) GoString() string { return a.String() }

// covers reports whether the token has a scope. It allocates nothing.
func (a *Access) covers(scope string) bool {
	for s := range strings.FieldsSeq(a.Scope) {
		if s == scope {
			return true
		}
	}
	return false
}

// isEndless reports whether the token neither expires nor can be refreshed.
func (t Token) isEndless() bool { return t.RefreshToken == "" && t.ExpiresAt.IsZero() }

// issued is the token as the provider issued it.
func (t Token) issued() provider.Token {
	return provider.Token{AccessToken: t.AccessToken, TokenType: t.TokenType, Scope: t.Scope, ExpiresAt: t.ExpiresAt}
}

func (t Token) access() Access {
	return Access{AccessToken: t.AccessToken, TokenType: t.TokenType, Scope: t.Scope, ExpiresAt: t.ExpiresAt, Endless: t.isEndless(), lifetime: t.GetExpiresIn()}
}

var (
	_ fmt.Stringer   = Token{}
	_ fmt.GoStringer = Token{}
	_ fmt.Stringer   = Access{}
	_ fmt.GoStringer = Access{}
)
