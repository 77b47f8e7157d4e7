package client

import (
	"fmt"
	"slices"
)

// OfflineAccess is the scope of a refresh token that outlives the person's sign-in
// (OpenID Connect Core, section 11).
const OfflineAccess = "offline_access"

// RefreshTokens says which refresh tokens a client with the grant refresh_token
// gets.
type RefreshTokens string

const (
	// RefreshOffline issues one only with the scope offline_access. It outlives the
	// sign-in, and the consent page says so. It is the default: clients get what
	// they request and people agree to.
	RefreshOffline RefreshTokens = "offline"
	// RefreshSession always issues one. It ends with the sign-in that it came from;
	// offline_access is ignored (OpenID Connect Core, section 11).
	RefreshSession RefreshTokens = "session"
	// RefreshAlways grants offline_access even if it is not requested, for clients
	// that cannot request it.
	RefreshAlways RefreshTokens = "always"
)

// RefreshTokensValues are the values of RefreshTokens.
func RefreshTokensValues() []string {
	return []string{string(RefreshSession), string(RefreshOffline), string(RefreshAlways)}
}

// validateRefreshTokens fills in the default. Only a value that was chosen and has
// no effect is a fault.
func (c *Client) validateRefreshTokens() error {
	switch c.RefreshTokens {
	case "":
		c.RefreshTokens, c.defaulted = RefreshOffline, true
		return nil
	case RefreshOffline, RefreshSession, RefreshAlways:
	default:
		return fmt.Errorf("client %q: refresh_tokens is %q, not session, offline or always", c.ID, c.RefreshTokens)
	}
	if c.defaulted && c.RefreshTokens == RefreshOffline {
		return nil
	}
	if !c.Allows(GrantRefresh) {
		return fmt.Errorf("client %q: refresh_tokens %s has no effect without the grant refresh_token; add it to grants", c.ID, c.RefreshTokens)
	}
	if c.RefreshTokens == RefreshOffline && !slices.Contains(c.Scopes, OfflineAccess) {
		return fmt.Errorf("client %q: refresh_tokens offline has no effect without the scope offline_access; "+
			"add it to scopes, or set refresh_tokens session or always", c.ID)
	}
	if c.RefreshTokens == RefreshAlways && !slices.Contains(c.Scopes, OfflineAccess) {
		c.Scopes = append(slices.Clone(c.Scopes), OfflineAccess)
	}
	return nil
}

// PersonScope is what a client gets of a scope parameter for tokens that act for a
// person, with and without offline_access as RefreshTokens says. What the client may
// not have is left out (RFC 6749, section 3.3; OpenID Connect Core, section 3.1.2.1),
// and returned as leftOut. ErrScope: the scope is malformed, nothing is left of it, or
// it is an OpenID Connect request of a client that may make none.
func (c *Client) PersonScope(s string) (scope, leftOut []string, err error) {
	requested, err := ParseScope(s)
	if err != nil {
		return nil, nil, err
	}
	if len(requested) == 0 {
		if scope, err = c.AllowedScope(""); err != nil {
			return nil, nil, err
		}
	}
	if c.SelfRegistered {
		scope, leftOut = c.selfRegisteredScope(requested)
		return scope, leftOut, nil
	}
	for _, v := range requested {
		switch {
		case v == OfflineAccess && c.RefreshTokens == RefreshSession: // it is ignored, see there
		case slices.Contains(c.Scopes, v):
			scope = append(scope, v)
		case v == "openid":
			return nil, nil, ErrScope
		default:
			leftOut = append(leftOut, v)
		}
	}
	if len(requested) > 0 && len(scope) == 0 {
		return nil, leftOut, ErrScope
	}
	if c.RefreshTokens == RefreshAlways && !slices.Contains(scope, OfflineAccess) {
		scope = append(scope, OfflineAccess)
	}
	return scope, leftOut, nil
}

// selfRegisteredScope is PersonScope for a client that knows nothing of the scopes here
// but what metadata say. One that asks for none that it may have gets those of the
// resource, which the consent page names: it could do nothing about an error.
func (c *Client) selfRegisteredScope(requested []string) (scope, leftOut []string) {
	for _, v := range requested {
		if !slices.Contains(c.Scopes, v) {
			leftOut = append(leftOut, v)
		} else if v != OfflineAccess {
			scope = append(scope, v)
		}
	}
	if len(scope) == 0 {
		scope = WithoutOffline(c.Scopes)
	}
	if c.Allows(GrantRefresh) {
		scope = append(scope, OfflineAccess)
	}
	return scope, leftOut
}

// WithoutOffline leaves offline_access out of a scope.
func WithoutOffline(scope []string) []string {
	return slices.DeleteFunc(slices.Clone(scope), func(v string) bool { return v == OfflineAccess })
}
