package client

import (
	"fmt"
	"slices"
	"strings"
)

// GrantTokenExchange is the grant by which a client has a person's access token of a
// provider in exchange for one of ours (RFC 8693). A client has it that may exchange
// for any provider, see [Client.MayExchange], or act for people there, see
// [Client.MayActFor].
const GrantTokenExchange = "urn:ietf:params:oauth:grant-type:token-exchange" //nolint:gosec // a name

// TypeAccessToken is the type of token that is taken, beside [TypeSubject], and given in
// an exchange (RFC 8693, section 3).
const TypeAccessToken = "urn:ietf:params:oauth:token-type:access_token" //nolint:gosec // a name

const providerScope = "provider:"

// ProviderScope is the scope by which a person lets a client have their tokens of a
// provider.
func ProviderScope(name string) string { return providerScope + name }

// ScopeProvider is the provider of a [ProviderScope].
func ScopeProvider(scope string) (name string, ok bool) {
	return strings.CutPrefix(scope, providerScope)
}

// WithoutProviders leaves the scopes for provider tokens out of a scope. They are
// only granted when they are asked for by name.
func WithoutProviders(scope []string) []string {
	return slices.DeleteFunc(slices.Clone(scope), func(s string) bool {
		_, ok := ScopeProvider(s)
		return ok
	})
}

// Exchanges reports whether the client may have people's tokens of a provider.
func (c *Client) Exchanges(providerName string) bool {
	return slices.Contains(c.MayExchange, providerName)
}

// validateExchange has people asked for the scopes without which no exchange is
// possible for a client that has not proven who it is.
func (c *Client) validateExchange() error {
	for i, name := range c.MayExchange {
		scope, err := ParseScope(ProviderScope(name))
		if err != nil || len(scope) != 1 || name == "" {
			return fmt.Errorf("client %q: may_exchange %q is no provider's name", c.ID, name)
		}
		if slices.Contains(c.MayExchange[:i], name) {
			return fmt.Errorf("client %q: may_exchange names %s twice", c.ID, name)
		}
		if !slices.Contains(c.Scopes, scope[0]) {
			c.Scopes = append(slices.Clone(c.Scopes), scope[0])
		}
	}
	return nil
}
