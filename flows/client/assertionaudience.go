package client

import (
	"fmt"
	"slices"
)

// What the aud of a client assertion may be, see [Authenticator].
const (
	AudienceIssuer        = "issuer"
	AudienceTokenEndpoint = "token_endpoint"
)

// AssertionAudiences are all of them.
func AssertionAudiences() []string { return []string{AudienceIssuer, AudienceTokenEndpoint} }

func (c *Client) validateAssertionAudience() error {
	if c.AssertionAudience == "" {
		c.AssertionAudience = AudienceIssuer
	}
	if !slices.Contains(AssertionAudiences(), c.AssertionAudience) {
		return fmt.Errorf("client %q: assertion_audience is %q, not issuer or token_endpoint", c.ID, c.AssertionAudience)
	}
	return nil
}

// isAudience reports whether a client's assertion was made for this server; see
// [Authenticator] for why.
func (a *Authenticator) isAudience(c *Client, aud []string) bool {
	if c.AssertionAudience == AudienceTokenEndpoint && slices.Equal(aud, []string{a.TokenEndpoint}) {
		return true
	}
	return slices.Contains(aud, a.Issuer) && !slices.ContainsFunc(aud, func(value string) bool {
		return value != a.Issuer && value != a.TokenEndpoint
	})
}
