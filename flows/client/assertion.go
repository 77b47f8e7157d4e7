package client

import (
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// assertionType is the value of client_assertion_type (RFC 7523, section 2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// asymmetric are the algorithms that assertions and proofs may be signed with.
// Never none, never HS*: a public key must not become a shared secret
// (RFC 8725, section 3.1).
var asymmetric = []string{"ES256", "ES384", "EdDSA", "RS256", "PS256"} //nolint:gochecknoglobals // a constant list

// withAssertion authenticates by private_key_jwt.
func (a *Authenticator) withAssertion(ctx context.Context, form url.Values) (*Client, error) {
	if form.Get("client_assertion_type") != assertionType {
		return nil, ErrRequest
	}
	raw := form.Get("client_assertion")
	if len(raw) > 8192 {
		return nil, ErrClient
	}
	var claims jwt.RegisteredClaims
	parser := jwt.NewParser(jwt.WithValidMethods(asymmetric), jwt.WithExpirationRequired(), jwt.WithIssuedAt(),
		jwt.WithLeeway(30*time.Second), jwt.WithTimeFunc(a.Now), jwt.WithStrictDecoding())
	var c *Client
	_, err := parser.ParseWithClaims(raw, &claims, func(t *jwt.Token) (any, error) {
		if _, critical := t.Header["crit"]; critical {
			return nil, ErrClient
		}
		c = a.Find(claims.Subject)
		if c == nil || claims.Issuer != c.ID {
			return nil, ErrClient
		}
		kid, _ := t.Header["kid"].(string)
		return c.key(kid)
	})
	if err != nil {
		return nil, ErrClient
	}
	if id := form.Get("client_id"); id != "" && id != c.ID {
		return nil, ErrRequest
	}
	if len(claims.Audience) != 1 || claims.Audience[0] != a.Issuer || claims.ID == "" {
		return nil, ErrClient
	}
	left := claims.ExpiresAt.Sub(a.Now()) + 30*time.Second
	if left > 10*time.Minute {
		return nil, ErrClient
	}
	sum := sha256.Sum256([]byte(c.ID + "\x00" + claims.ID))
	first, err := a.Once(ctx, "assertion:"+base64.RawURLEncoding.EncodeToString(sum[:]), left)
	if err != nil {
		return nil, err
	}
	if !first {
		return nil, ErrClient
	}
	return c, nil
}

// key finds the key of an assertion: by kid, or the only one.
func (c *Client) key(kid string) (crypto.PublicKey, error) {
	if key, ok := c.Keys[kid]; ok {
		return key, nil
	}
	if kid == "" && len(c.Keys) == 1 {
		for _, key := range c.Keys {
			return key, nil
		}
	}
	return nil, ErrClient
}
