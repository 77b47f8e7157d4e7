package client

import (
	"fmt"
	"slices"
)

// The algorithms that tokens are signed with where a client does not choose.
const (
	DefaultIDTokenAlgorithm     = "RS256"
	DefaultAccessTokenAlgorithm = "ES256"
)

// Algorithms that a client can choose (RFC 7518, section 3.1; RFC 8037).
func Algorithms() []string { return []string{"ES256", "EdDSA", "RS256"} }

// validateAlgorithms fills in the defaults.
func (c *Client) validateAlgorithms() error {
	if c.IDTokenAlgorithm == "" {
		c.IDTokenAlgorithm = DefaultIDTokenAlgorithm
	}
	if c.AccessTokenAlgorithm == "" {
		c.AccessTokenAlgorithm = DefaultAccessTokenAlgorithm
	}
	for name, alg := range map[string]string{"id_token_signing_alg": c.IDTokenAlgorithm, "access_token_signing_alg": c.AccessTokenAlgorithm} {
		if !slices.Contains(Algorithms(), alg) {
			return fmt.Errorf("client %q: %s is %q, not ES256, EdDSA or RS256", c.ID, name, alg)
		}
	}
	return nil
}

// Needed are the algorithms that something for the client has to be signed with.
func (c *Client) Needed() []string {
	var algs []string
	if len(c.Grants) > 0 {
		algs = append(algs, c.AccessTokenAlgorithm)
	}
	if (c.actsForPeople() && slices.Contains(c.Scopes, "openid") || c.BackchannelLogoutURI != "") && !slices.Contains(algs, c.IDTokenAlgorithm) {
		algs = append(algs, c.IDTokenAlgorithm)
	}
	return algs
}
