package client

import (
	"errors"
	"slices"
	"strings"
)

// ErrScope: the scope is malformed or asks for what the client may not have.
var ErrScope = errors.New("invalid scope")

// maxScope is the longest scope parameter, in bytes.
const maxScope = 1024

// ParseScope splits a scope parameter (RFC 6749, section 3.3) into its values
// in the order given, each once.
func ParseScope(s string) ([]string, error) {
	if len(s) > maxScope {
		return nil, ErrScope
	}
	var scope []string
	for value := range strings.SplitSeq(s, " ") {
		if value == "" {
			if s == "" {
				break
			}
			return nil, ErrScope
		}
		for i := 0; i < len(value); i++ {
			if b := value[i]; b < 0x21 || b > 0x7e || b == '"' || b == '\\' {
				return nil, ErrScope
			}
		}
		if !slices.Contains(scope, value) {
			scope = append(scope, value)
		}
	}
	return scope, nil
}

// AllowedScope parses a scope parameter and checks it against what the client
// may ask for. An empty one is the client's default: all of its scopes but
// offline_access and those for provider tokens.
func (c *Client) AllowedScope(s string) ([]string, error) {
	scope, err := ParseScope(s)
	if err != nil {
		return nil, err
	}
	if len(scope) == 0 {
		return WithoutProviders(WithoutOffline(c.Scopes)), nil
	}
	for _, value := range scope {
		if !slices.Contains(c.Scopes, value) {
			return nil, ErrScope
		}
	}
	return scope, nil
}

// StillAllowed are those of the granted scopes that the client may have as it is
// configured now.
func (c *Client) StillAllowed(granted []string) []string {
	return slices.DeleteFunc(slices.Clone(granted), func(v string) bool { return !slices.Contains(c.Scopes, v) })
}

// Subset reports whether each value is one of the granted ones.
func Subset(values, granted []string) bool {
	for _, v := range values {
		if !slices.Contains(granted, v) {
			return false
		}
	}
	return true
}
