package client

import (
	"fmt"
	"slices"
)

// The grants that a client can be given (RFC 6749, RFC 8628).
const (
	GrantCode              = "authorization_code"
	GrantRefresh           = "refresh_token"
	GrantClientCredentials = "client_credentials"
	GrantDevice            = "urn:ietf:params:oauth:grant-type:device_code"
)

// Grant is what clients, the Caddyfile and discovery know of a grant type. What the
// token endpoint does for it is registered there under the same type.
type Grant struct {
	// Type is the grant_type.
	Type string
	// Name among a client's grants in the Caddyfile. "": another option gives it, see
	// Given.
	Name string
	// Given reports whether a client has a grant without a Name. Such a grant is offered
	// in discovery only if a client has it.
	Given func(*Client) bool
	// ForPeople: its tokens act for a person, so that there can be an ID token.
	ForPeople bool
	// Check names what a client that has the grant lacks for it. Nil: nothing can be
	// lacking.
	Check func(*Client) error
}

// Grants are all grants, in the order in which they are offered. To add one, add its row
// here, and a file to the token endpoint.
func Grants() []Grant {
	return []Grant{
		{Type: GrantCode, Name: "authorization_code", ForPeople: true, Check: checkCode},
		{Type: GrantRefresh, Name: "refresh_token"},
		{Type: GrantClientCredentials, Name: "client_credentials", Check: checkClientCredentials},
		{Type: GrantDevice, Name: "device_code", ForPeople: true},
		{Type: GrantTokenExchange, Given: func(c *Client) bool { return len(c.MayExchange)+len(c.MayActFor) > 0 }},
	}
}

// OfferedGrants are the grant types that a server with these clients offers (RFC 8414,
// section 2).
func OfferedGrants(clients map[string]*Client) []string {
	var types []string
	for _, grant := range Grants() {
		offered := grant.Name != ""
		for _, c := range clients {
			offered = offered || c.Allows(grant.Type)
		}
		if offered {
			types = append(types, grant.Type)
		}
	}
	return types
}

// Allows reports whether the client may use a grant, by its type.
func (c *Client) Allows(grantType string) bool {
	if slices.Contains(c.Grants, grantType) {
		return true
	}
	return slices.ContainsFunc(Grants(), func(g Grant) bool { return g.Type == grantType && g.Given != nil && g.Given(c) })
}

// actsForPeople reports whether the client can have ID tokens.
func (c *Client) actsForPeople() bool {
	return slices.ContainsFunc(Grants(), func(g Grant) bool { return g.ForPeople && c.Allows(g.Type) })
}

// validateGrantNames refuses grants that cannot be given.
func (c *Client) validateGrantNames() error {
	for _, named := range c.Grants {
		if !slices.ContainsFunc(Grants(), func(g Grant) bool { return g.Type == named && g.Name != "" }) {
			return fmt.Errorf("client %q: unknown grant %q", c.ID, named)
		}
	}
	return nil
}

// checkGrants asks each grant that the client has what it lacks.
func (c *Client) checkGrants() error {
	for _, g := range Grants() {
		if g.Check == nil || !c.Allows(g.Type) {
			continue
		}
		if err := g.Check(c); err != nil {
			return err
		}
	}
	return nil
}

func checkCode(c *Client) error {
	if len(c.RedirectURIs) == 0 {
		return fmt.Errorf("client %q has no redirect_uri for the grant authorization_code", c.ID)
	}
	return nil
}

func checkClientCredentials(c *Client) error {
	if c.Public {
		return fmt.Errorf("client %q is public: client_credentials needs a secret or key (RFC 6749, section 4.4)", c.ID)
	}
	return nil
}
