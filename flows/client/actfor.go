package client

import (
	"fmt"
	"slices"
)

// TypeSubject is the type of a subject token that is no token, but names a person: the
// sub of our ID tokens. It is private to this server, as RFC 8693, section 3, lets it
// be; only clients that may act for people use it, see [Client.MayActFor].
const TypeSubject = "urn:gatehouse:params:oauth:token-type:subject" //nolint:gosec // a name

// ActsFor reports whether the client may have people's tokens of a provider while they
// are away.
func (c *Client) ActsFor(providerName string) bool {
	return slices.Contains(c.MayActFor, providerName)
}

// validateActing asks for a key: who can have everybody's tokens must not prove itself
// by what travels, and stands in files, on both sides.
func (c *Client) validateActing() error {
	for i, name := range c.MayActFor {
		if name == "" || slices.Contains(c.MayActFor[:i], name) {
			return fmt.Errorf("client %q: may_act_for names provider %q twice, or no provider", c.ID, name)
		}
	}
	if len(c.MayActFor) > 0 && (c.Public || len(c.Secrets) > 0 || len(c.Keys) == 0) {
		return fmt.Errorf("client %q: may_act_for needs a client that authenticates only by key (private_key_jwt): write jwks FILE, and neither secret nor public", c.ID)
	}
	if c.ActPolicy != nil && len(c.MayActFor) == 0 {
		return fmt.Errorf("client %q has a policy for may_act_for, and may act for nobody", c.ID)
	}
	return nil
}
