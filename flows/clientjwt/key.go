package clientjwt

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// algorithms, all of them asymmetric. Never none, never HS*: a public key must
// not become a shared secret (RFC 8725, section 3.1).
// Ed25519 is the fully-specified name of what EdDSA is here (RFC 9864, section 2.2).
var algorithms = []string{"ES256", "ES384", "EdDSA", "Ed25519", "RS256", "PS256"} //nolint:gochecknoglobals // a constant list

// Algorithms that clients may sign with, the preferred first.
func Algorithms() []string { return slices.Clone(algorithms) }

// minRSABits of a key that is not too weak to be worth anything (RFC 7518,
// section 3.3).
const minRSABits = 2048

// Key is the public half of a key that a client signs with.
type Key struct {
	// Public is the key itself.
	Public crypto.PublicKey
	// Algorithm is the one that the key is for (RFC 7517, section 4.4). Default:
	// whichever its kind is of.
	Algorithm string
}

// Takes reports whether the key is for signatures of an algorithm: it is of the
// algorithm's kind, curve and size (RFC 7518, section 3), and not for another.
func (k Key) Takes(alg string) bool {
	if k.Algorithm != "" && methodName(k.Algorithm) != methodName(alg) {
		return false
	}
	switch public := k.Public.(type) {
	case *ecdsa.PublicKey:
		return alg == "ES256" && public.Curve == elliptic.P256() || alg == "ES384" && public.Curve == elliptic.P384()
	case ed25519.PublicKey:
		return methodName(alg) == "EdDSA"
	case *rsa.PublicKey:
		return (alg == "RS256" || alg == "PS256") && public.N.BitLen() >= minRSABits
	}
	return false
}

// methodName is the name by which package jwt knows an algorithm.
func methodName(alg string) string {
	if alg == "Ed25519" {
		return "EdDSA"
	}
	return alg
}

// ParseKeys reads a JWKS (RFC 7517, section 5) of public keys and returns those
// that are for signatures, by kid. Keys for something else (use, key_ops) and of
// unknown types are passed over. What is an error: a private or symmetric key,
// which has no business there; a key of no algorithm of [Algorithms]; two keys of
// one kid; no key at all.
func ParseKeys(raw []byte) (map[string]Key, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(raw, &set); err != nil {
		return nil, errors.New("it is not a JWKS (RFC 7517)") // the cause could quote a key
	}
	keys := make(map[string]Key)
	for i, encoded := range set.Keys {
		id, key, err := parseKey(encoded)
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", i+1, err)
		}
		if key.Public == nil {
			continue
		}
		if _, twice := keys[id]; twice {
			return nil, fmt.Errorf("there are two keys of kid %q", id)
		}
		keys[id] = key
	}
	if len(keys) == 0 {
		return nil, errors.New("it holds no key for signatures")
	}
	return keys, nil
}

// parseKey returns the zero key for one that is not for signatures.
func parseKey(encoded []byte) (id string, key Key, err error) {
	var jwk jose.JSONWebKey
	switch err := jwk.UnmarshalJSON(encoded); {
	case errors.Is(err, jose.ErrUnsupportedKeyType):
		return "", Key{}, nil
	case err != nil:
		return "", Key{}, errors.New("it is not a JWK")
	case !jwk.IsPublic():
		return "", Key{}, errors.New("it is private or symmetric; only public keys belong here")
	}
	var purpose struct {
		Operations []string `json:"key_ops"`
	}
	if err := json.Unmarshal(encoded, &purpose); err != nil {
		return "", Key{}, errors.New("its key_ops are no list of names")
	}
	if jwk.Use != "" && jwk.Use != "sig" || purpose.Operations != nil && !slices.Contains(purpose.Operations, "verify") {
		return "", Key{}, nil
	}
	key = Key{Public: jwk.Key, Algorithm: jwk.Algorithm}
	if !slices.ContainsFunc(algorithms, key.Takes) {
		return "", Key{}, fmt.Errorf("it fits none of %s (alg %q)", strings.Join(algorithms, ", "), jwk.Algorithm)
	}
	return jwk.KeyID, key, nil
}
