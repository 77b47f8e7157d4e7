package accesstoken

import (
	"encoding/json"

	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// clientProvider is the provider of programs that act for themselves. No
// provider block can have the name.
const clientProvider = ":client"

// ClientClaims is who a client is when it acts for itself.
func ClientClaims(at web.Issuer, id string) identity.Claims {
	return identity.Claims{Provider: clientProvider, Issuer: at.ID(), ID: id, User: "client:" + id}
}

// Claims of an access token (RFC 9068, section 2.2).
type Claims struct {
	jwt.RegisteredClaims
	ClientID  string        `json:"client_id"`
	SessionID string        `json:"sid,omitempty"`
	Scope     string        `json:"scope,omitempty"`
	AuthTime  int64         `json:"auth_time,omitempty"`
	ACR       string        `json:"acr,omitempty"`
	Groups    []string      `json:"groups,omitempty"`
	Cnf       *Confirmation `json:"cnf,omitempty"`
	// Act is who acts for the subject (RFC 8693, section 4.1). We issue no such token;
	// one of a later version must not be taken for the person's own.
	Act json.RawMessage `json:"act,omitempty"`
}

// scheme is how the token is presented.
func (c *Claims) scheme() string {
	if c.Cnf != nil && c.Cnf.JKT != "" {
		return "dpop"
	}
	return "bearer"
}

// Confirmation binds a token to a key (RFC 7800; RFC 9449, section 6.1).
type Confirmation struct {
	JKT string `json:"jkt,omitempty"`
}
