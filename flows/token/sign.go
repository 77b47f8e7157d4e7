package token

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// The types of token that Gatehouse signs, each with a typ of its own, so that
// none passes for another (RFC 8725, section 3.11).
const (
	TypeAccess    = "at+jwt"        // RFC 9068
	TypeID        = "JWT"           // OpenID Connect Core
	TypeLogout    = "logout+jwt"    // OpenID Connect Back-Channel Logout
	TypeAssertion = "assertion+jwt" // for upstreams
)

// segment is how the parts of a token are spelt (RFC 7515, section 2).
var segment = base64.RawURLEncoding //nolint:gochecknoglobals // a constant

// joseHeader is the header of what is signed here.
type joseHeader struct {
	Algorithm string `json:"alg"`
	KeyID     string `json:"kid"`
	Type      string `json:"typ"`
}

// Sign signs claims, encoded as JSON, with the active key of an algorithm, as a JWS in compact
// serialization (RFC 7515, section 7.1). ErrNoKey. It spells the token itself:
// every grant signs twice, and jwt's general Token takes maps for it.
func (k *Keys) Sign(typ, alg string, claims any) (string, error) {
	set := k.current.Load()
	if set == nil || set.active[alg] == nil {
		return "", ErrNoKey
	}
	active := set.active[alg]
	header, err := json.Marshal(joseHeader{Algorithm: alg, KeyID: active.id, Type: typ})
	if err != nil {
		return "", err
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	signed := make([]byte, 0, segment.EncodedLen(len(header))+segment.EncodedLen(len(payload))+1)
	signed = append(segment.AppendEncode(signed, header), '.')
	signing := string(segment.AppendEncode(signed, payload))
	signature, err := active.method.Sign(signing, active.private)
	if err != nil {
		return "", err
	}
	return signing + "." + segment.EncodeToString(signature), nil
}

// ErrToken: a token is not one that we issued, or not any more.
var ErrToken = errors.New("token is not valid")

// ErrUnknownKey comes with ErrToken where the key that a token names is not
// known, or not any more.
var ErrUnknownKey = errors.New("no key of that kid")

// Verify checks a token of a type that we issued, as of now, and reads its
// claims: signature by a published key, the key's own algorithm, typ, issuer
// and expiry. Audience and everything else is the caller's to judge.
func (k *Keys) Verify(raw, typ, issuer string, claims jwt.Claims) error {
	_, err := k.verify(raw, typ, issuer, claims, false)
	return err
}

// VerifySigner is [Keys.Verify] for a caller that remembers the token: it returns
// the thumbprint of the key that signed it, for [Keys.Holds].
func (k *Keys) VerifySigner(raw, typ, issuer string, claims jwt.Claims) (thumbprint string, err error) {
	return k.verify(raw, typ, issuer, claims, false)
}

// Holds reports whether the key of a thumbprint (RFC 7638) is still among ours: a
// token that it signed would be verified today. It costs no I/O.
func (k *Keys) Holds(thumbprint string) bool {
	set := k.current.Load()
	if set == nil {
		return false
	}
	_, ok := set.prints[thumbprint]
	return ok
}

// VerifyExpired is Verify for a token that may have expired: an id_token_hint
// names who is meant, and is no licence (OpenID Connect RP-Initiated Logout,
// section 2). It may be older than the published keys: ErrUnknownKey.
func (k *Keys) VerifyExpired(raw, typ, issuer string, claims jwt.Claims) error {
	_, err := k.verify(raw, typ, issuer, claims, true)
	return err
}

func (k *Keys) verify(raw, typ, issuer string, claims jwt.Claims, mayBeExpired bool) (thumbprint string, err error) {
	set := k.current.Load()
	if set == nil {
		return "", ErrNoKey
	}
	if strings.ContainsAny(raw, "\r\n") {
		// The library skips them in the signature, even where it decodes strictly:
		// one token must not have many spellings (RFC 7515, section 2).
		return "", fmt.Errorf("%w: line break", ErrToken)
	}
	options := []jwt.ParserOption{
		jwt.WithValidMethods([]string{ES256, EdDSA, RS256}), jwt.WithStrictDecoding(), jwt.WithLeeway(5 * time.Second), jwt.WithTimeFunc(k.Now),
	}
	if mayBeExpired {
		options = append(options, jwt.WithoutClaimsValidation())
	} else {
		options = append(options, jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithIssuer(issuer))
	}
	_, err = jwt.NewParser(options...).ParseWithClaims(raw, claims, func(t *jwt.Token) (any, error) {
		if t.Header["typ"] != typ {
			return nil, fmt.Errorf("typ is not %s", typ)
		}
		for _, name := range []string{"crit", "jku", "x5u", "x5c", "jwk"} {
			if _, there := t.Header[name]; there {
				return nil, fmt.Errorf("header %s is not accepted", name)
			}
		}
		kid, _ := t.Header["kid"].(string)
		signer := set.byID[kid]
		if signer == nil {
			return nil, ErrUnknownKey
		}
		if t.Method.Alg() != signer.alg {
			return nil, errors.New("the key of that kid is of another algorithm")
		}
		thumbprint = signer.print
		return signer.public, nil
	})
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrToken, err)
	}
	if mayBeExpired {
		if got, err := claims.GetIssuer(); err != nil || got != issuer {
			return "", fmt.Errorf("%w: issuer", ErrToken)
		}
	}
	return thumbprint, nil
}
