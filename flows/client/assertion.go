package client

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/big"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-auth/gatehouse/flows/clientjwt"
)

// assertionType is the value of client_assertion_type (RFC 7523, section 2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

const (
	// maxAssertionLife is how long an assertion may still be good when it
	// arrives. Some libraries always make it an hour. Longer ones would have to
	// be remembered longer, and are worth more to whoever finds one in a log.
	maxAssertionLife = time.Hour
	// maxAssertion is the longest assertion that is read, in bytes.
	maxAssertion = 8192
	// clockSkew is how far a client's clock may be from ours.
	clockSkew = 30 * time.Second
)

// What is wrong with an assertion that the client's own key did sign. Only then
// is it told: to somebody without the key every refusal looks the same.
var (
	errAssertionTime = fmt.Errorf("%w: the assertion has expired, is not valid yet, or has no exp", ErrClient)
	errAssertionLife = fmt.Errorf("%w: the assertion must expire within an hour", ErrClient)
	errAudience      = fmt.Errorf("%w: the aud of the assertion must hold the issuer, and beside it at most the token endpoint", ErrClient)
	errAssertionUsed = fmt.Errorf("%w: the assertion was used already", ErrClient)
)

// assertion is a JWT that a client's key signed.
type assertion struct {
	client *Client
	claims assertionClaims
	raw    string
	bytes  []byte // of the signature
	key    crypto.PublicKey
}

type assertionClaims struct {
	Issuer    string           `json:"iss"`
	Subject   string           `json:"sub"`
	Audience  jwt.ClaimStrings `json:"aud"`
	ExpiresAt *clientjwt.Time  `json:"exp"`
	NotBefore *clientjwt.Time  `json:"nbf"`
	IssuedAt  *clientjwt.Time  `json:"iat"`
	ID        string           `json:"jti"`
}

// withAssertion authenticates by private_key_jwt.
func (a *Authenticator) withAssertion(ctx context.Context, form url.Values) (*Client, error) {
	if form.Get("client_assertion_type") != assertionType {
		return nil, ErrAssertionType
	}
	s, err := a.parseAssertion(form.Get("client_assertion"))
	if err != nil {
		return nil, err
	}
	if id := form.Get("client_id"); id != "" && id != s.client.ID {
		return nil, ErrRequest
	}
	if !a.isAudience(s.client, s.claims.Audience) {
		return nil, errAudience
	}
	left := s.claims.ExpiresAt.Sub(a.Now())
	if left > maxAssertionLife+clockSkew {
		return nil, errAssertionLife
	}
	// A second more than it is good: never forgotten too early.
	first, err := a.Once(ctx, s.guard(), left+clockSkew+time.Second)
	if err != nil {
		return nil, err
	}
	if !first {
		return nil, errAssertionUsed
	}
	return s.client, nil
}

// AssertedID is the client that an assertion names, "" if it can name none. Nothing of it
// has been verified: it is for a log line about a refusal.
func AssertedID(assertion string) string {
	var claims jwt.RegisteredClaims
	if len(assertion) > maxAssertion {
		return ""
	}
	if _, _, err := jwt.NewParser().ParseUnverified(assertion, &claims); err != nil {
		return ""
	}
	return claims.Subject
}

// parseAssertion checks an assertion's form, signature and times.
func (a *Authenticator) parseAssertion(raw string) (*assertion, error) {
	if len(raw) > maxAssertion {
		return nil, ErrClient
	}
	s := &assertion{raw: raw}
	var err error
	s.bytes, err = clientjwt.Parse(raw, &s.claims, func(header clientjwt.Header) (clientjwt.Key, error) {
		s.client = a.Find(s.claims.Subject)
		if s.client == nil || s.claims.Issuer != s.client.ID || header.Key != nil {
			return clientjwt.Key{}, ErrClient
		}
		key, err := s.client.key(header.KeyID)
		s.key = key.Public
		return key, err
	})
	if err != nil {
		return nil, ErrClient
	}
	times := jwt.NewValidator(jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(clockSkew), jwt.WithTimeFunc(a.Now))
	err = times.Validate(jwt.RegisteredClaims{
		ExpiresAt: s.claims.ExpiresAt.Numeric(), NotBefore: s.claims.NotBefore.Numeric(), IssuedAt: s.claims.IssuedAt.Numeric(),
	})
	if err != nil {
		return nil, errAssertionTime
	}
	return s, nil
}

// guard is what the assertion is remembered by.
func (s *assertion) guard() string {
	if s.claims.ID != "" {
		return "assertion:" + digest(s.client.ID, s.claims.ID)
	}
	signed := s.raw[:strings.LastIndexByte(s.raw, '.')]
	return "assertion-signature:" + digest(s.client.ID, signed, string(s.signature()))
}

// signature is the assertion's, in the one form that everybody can turn it into:
// with (r, s), (r, n-s) is an ECDSA signature as well, and would else be a second
// use.
func (s *assertion) signature() []byte {
	key, ok := s.key.(*ecdsa.PublicKey)
	if !ok {
		return s.bytes
	}
	half := len(s.bytes) / 2
	canonical := slices.Clone(s.bytes)
	low := new(big.Int).SetBytes(canonical[half:])
	if other := new(big.Int).Sub(key.Params().N, low); other.Cmp(low) < 0 {
		low = other
	}
	low.FillBytes(canonical[half:])
	return canonical
}

func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// key finds the key of an assertion: by kid, or the only one.
func (c *Client) key(kid string) (clientjwt.Key, error) {
	if key, ok := c.Keys[kid]; ok {
		return key, nil
	}
	if kid == "" && len(c.Keys) == 1 {
		for _, key := range c.Keys {
			return key, nil
		}
	}
	return clientjwt.Key{}, ErrClient
}
