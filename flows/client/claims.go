package client

import (
	"fmt"
	"slices"
)

// Claim is a further claim of the user's that a client is told: in its tokens and at
// the userinfo endpoint.
type Claim struct {
	Name string `json:"name"`
	// Scope that it comes with. Default: it always comes.
	Scope string `json:"scope,omitempty"`
}

// ownClaims are those of tokens and answers of our own, which no claim of a provider
// takes the place of (RFC 7519, section 4.1; RFC 9068, section 2.2; OpenID Connect
// Core, sections 2 and 5.1), with the scope that gives them, if one does.
var ownClaims = map[string]string{
	"iss": "", "sub": "", "aud": "", "exp": "", "nbf": "", "iat": "", "jti": "", "azp": "", "nonce": "", "at_hash": "", "c_hash": "", "s_hash": "",
	"auth_time": "", "acr": "", "amr": "", "sid": "", "cnf": "", "act": "", "may_act": "", "client_id": "", "scope": "", "active": "", "token_type": "",
	"username": "", "events": "",
	"name": "profile", "preferred_username": "profile", "email": "email", "email_verified": "email", "groups": "groups", "hasgroups": "groups",
}

func (c *Client) validateClaims() error {
	for i, claim := range c.Claims {
		scope, own := ownClaims[claim.Name]
		switch {
		case scope != "":
			return fmt.Errorf("client %q: the claim %s comes with the scope %s", c.ID, claim.Name, scope)
		case own, claim.Name == "":
			return fmt.Errorf("client %q: the claim %q is one of the tokens' own", c.ID, claim.Name)
		case claim.Scope != "" && !slices.Contains(c.Scopes, claim.Scope):
			return fmt.Errorf("client %q: the claim %s is to come with the scope %s, which is not among its scopes", c.ID, claim.Name, claim.Scope)
		case slices.Contains(c.Claims[:i], claim):
			return fmt.Errorf("client %q: the claim %s occurs twice", c.ID, claim.Name)
		}
	}
	return nil
}
