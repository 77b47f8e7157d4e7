package oidc

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	// assertionLifetime leaves room for the clocks of both sides.
	assertionLifetime = 2 * time.Minute
)

// ClientKey is the private key of a client that authenticates by it.
type ClientKey struct {
	key    any
	id     string
	alg    jose.SignatureAlgorithm
	thumb  string
	signer jose.Signer
}

// ParseClientKey reads a private key: a JWK, the JWK of that kid in a JWKS, or PKCS
// #8, PKCS #1 or SEC 1 in PEM. kid is what the provider knows it by; "" for the JWK's
// own, or none. Errors quote nothing of the file.
func ParseClientKey(file []byte, kid string) (*ClientKey, error) {
	jwk, err := readPrivateKey(bytes.TrimSpace(file), kid)
	if err != nil {
		return nil, err
	}
	if kid != "" {
		jwk.KeyID = kid
	}
	alg, err := keyAlgorithm(jwk)
	if err != nil {
		return nil, err
	}
	thumb, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, errors.New("it is no key that can sign")
	}
	options := (&jose.SignerOptions{}).WithType("JWT")
	if jwk.KeyID != "" {
		options.WithHeader("kid", jwk.KeyID)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jwk.Key}, options)
	if err != nil {
		return nil, errors.New("it is no key that can sign")
	}
	return &ClientKey{key: jwk.Key, id: jwk.KeyID, alg: alg, thumb: base64.RawURLEncoding.EncodeToString(thumb), signer: signer}, nil
}

// Thumbprint of the public key (RFC 7638).
func (k *ClientKey) Thumbprint() string { return k.thumb }

// Algorithm that the key signs by (RFC 7518, section 3.1).
func (k *ClientKey) Algorithm() string { return string(k.alg) }

// String says what it is, and nothing of the key.
func (k *ClientKey) String() string { return "client key " + k.id }

// GoString is String, for %#v.
func (k *ClientKey) GoString() string { return k.String() }

// Sign signs claims as a JWT with this key.
func (k *ClientKey) Sign(claims any) (string, error) {
	return jwt.Signed(k.signer).Claims(claims).Serialize()
}

// assertion is a client assertion for one request (RFC 7523, section 3).
func (k *ClientKey) assertion(random io.Reader, clientID, audience string, now time.Time) (string, error) {
	id := make([]byte, 16)
	if _, err := io.ReadFull(random, id); err != nil {
		return "", err
	}
	return k.Sign(jwt.Claims{
		Issuer: clientID, Subject: clientID, Audience: jwt.Audience{audience}, ID: base64.RawURLEncoding.EncodeToString(id),
		IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(assertionLifetime)),
	})
}

func readPrivateKey(file []byte, kid string) (jose.JSONWebKey, error) {
	if !bytes.HasPrefix(file, []byte("{")) {
		key, err := readPEM(file)
		return jose.JSONWebKey{Key: key}, err
	}
	var set jose.JSONWebKeySet
	if json.Unmarshal(file, &set) == nil && len(set.Keys) > 0 {
		return keyOfSet(set, kid)
	}
	var jwk jose.JSONWebKey
	if json.Unmarshal(file, &jwk) != nil || jwk.Key == nil {
		return jwk, errors.New("it is neither a JWK nor a JWKS (RFC 7517)")
	}
	return jwk, nil
}

// keyOfSet is the key of an id, or the only one.
func keyOfSet(set jose.JSONWebKeySet, kid string) (jose.JSONWebKey, error) {
	if kid != "" {
		set.Keys = set.Key(kid)
	}
	switch {
	case len(set.Keys) == 0:
		return jose.JSONWebKey{}, fmt.Errorf("the JWKS has no key of the id %q", kid)
	case len(set.Keys) > 1:
		return jose.JSONWebKey{}, errors.New("the JWKS has several keys: say the id (kid) of one")
	}
	return set.Keys[0], nil
}

func readPEM(file []byte) (any, error) {
	block, _ := pem.Decode(file)
	if block == nil {
		return nil, errors.New("it is neither a JWK nor a key in PEM")
	}
	if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	if key, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	return nil, fmt.Errorf("its PEM block %q holds no private key without a passphrase", block.Type)
}

// keyAlgorithm is the algorithm that a key says, or the usual one of its kind.
func keyAlgorithm(jwk jose.JSONWebKey) (jose.SignatureAlgorithm, error) {
	var usual jose.SignatureAlgorithm
	switch key := jwk.Key.(type) {
	case *rsa.PrivateKey:
		if key.N.BitLen() < minRSABits {
			return "", fmt.Errorf("its RSA key has fewer than %d bits", minRSABits)
		}
		usual = jose.RS256
		if jwk.Algorithm != "" && jwk.Algorithm[:1] != "R" && jwk.Algorithm[:1] != "P" {
			return "", fmt.Errorf("an RSA key cannot sign by %q", jwk.Algorithm)
		}
		if jwk.Algorithm != "" {
			usual = jose.SignatureAlgorithm(jwk.Algorithm)
		}
		return usual, nil
	case *ecdsa.PrivateKey:
		usual = map[string]jose.SignatureAlgorithm{"P-256": jose.ES256, "P-384": jose.ES384, "P-521": jose.ES512}[key.Curve.Params().Name]
	case ed25519.PrivateKey:
		usual = jose.EdDSA
	default:
		return "", errors.New("it is not a private key that can sign (RSA, EC or Ed25519)")
	}
	if usual == "" || jwk.Algorithm != "" && jwk.Algorithm != string(usual) && jwk.Algorithm != "Ed25519" {
		return "", fmt.Errorf("its key cannot sign by %q", jwk.Algorithm)
	}
	return usual, nil
}
