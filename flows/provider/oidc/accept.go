package oidc

import (
	"errors"
	"fmt"
	"slices"
)

// Accept is how tokens are taken that the provider issued to programs, to open what this
// gateway guards.
type Accept struct {
	// Audience of which a token must name one (RFC 9068, section 4). Required.
	Audience []string
	// Workload: the provider's tokens for programs have the form of ID tokens, as those
	// of Kubernetes and of CI systems do. Default: only tokens of the type at+jwt.
	Workload bool
	// Introspect: the provider is asked about tokens that are no JWT (RFC 7662).
	Introspect bool
}

// tokensOnly reports whether nobody signs in at the provider.
func (c *Config) tokensOnly() bool { return c.ClientID == "" && c.Accept != nil }

func (c *Config) checkAccept() error {
	a := c.Accept
	if a == nil {
		return nil
	}
	for _, audience := range a.Audience {
		if textOf(quoted(audience)) == "" {
			return fmt.Errorf("accept_tokens: audience %.40q is not valid", audience)
		}
	}
	switch {
	case len(a.Audience) == 0:
		return errors.New("accept_tokens needs the audience that tokens must be for: without it, a token that somebody gave another service would open this one")
	case c.Plain:
		return errors.New("accept_tokens: a provider without OpenID Connect publishes no keys to verify tokens with")
	case a.Introspect && c.ClientID == "":
		return errors.New("accept_tokens introspect needs client_id and client_secret: a provider answers only its clients about tokens (RFC 7662, section 2.1)")
	case c.ClientID != "" && slices.Contains(a.Audience, c.ClientID) && !a.Workload:
		return errors.New("accept_tokens: the audience is this gateway's own client_id, which ID tokens of people are for; have programs ask for another audience")
	}
	return nil
}
