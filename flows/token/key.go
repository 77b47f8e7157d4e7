package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// Algorithms that tokens can be signed with.
const (
	ES256 = "ES256"
	EdDSA = "EdDSA"
	RS256 = "RS256"
)

// rsaBits is the size of RSA keys; 1,024 was a predecessor's.
const rsaBits = 3072

// key is one signing key in memory.
type key struct {
	id string
	// print is the thumbprint of the public key (RFC 7638). An id of a file is its
	// author's word, and another key may bear it tomorrow.
	print   string
	alg     string
	state   tokenstore.KeyState
	changed time.Time
	created time.Time
	method  jwt.SigningMethod
	private crypto.Signer // nil: cannot be opened here, verifies only
	public  crypto.PublicKey
	jwk     jose.JSONWebKey
}

// generate makes a key pair.
func generate(alg string, random io.Reader) (crypto.Signer, error) {
	switch alg {
	case ES256:
		return ecdsa.GenerateKey(elliptic.P256(), random)
	case EdDSA:
		_, private, err := ed25519.GenerateKey(random)
		return private, err
	case RS256:
		return rsa.GenerateKey(random, rsaBits)
	}
	return nil, fmt.Errorf("unknown signing algorithm %q", alg)
}

// describe names a public key by its RFC 7638 thumbprint.
func describe(alg string, public crypto.PublicKey) (id string, jwk jose.JSONWebKey, err error) {
	jwk = jose.JSONWebKey{Key: public, Algorithm: alg, Use: "sig"}
	sum, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		return "", jwk, err
	}
	jwk.KeyID = base64.RawURLEncoding.EncodeToString(sum)
	return jwk.KeyID, jwk, nil
}

func signingMethod(alg string) jwt.SigningMethod {
	switch alg {
	case ES256:
		return deterministicES256{jwt.SigningMethodES256}
	case EdDSA:
		return jwt.SigningMethodEdDSA
	case RS256:
		return jwt.SigningMethodRS256
	}
	return nil
}

// sealKey encodes a private key (PKCS #8) and seals it for its row.
func (k *Keys) sealKey(id string, private crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	return k.Keyring.Seal(sealLabel, sealPlace(id), der), nil
}

const sealLabel = "signing key"

// sealPlace is where a private key stands.
func sealPlace(id string) []byte { return []byte("signing_key|" + id + "|private") }

// openKey turns a row into a key. One whose private part cannot be opened
// still verifies: a missing secret makes the row unusable, not the gateway.
func (k *Keys) openKey(row tokenstore.SigningKey) (*key, error) {
	var jwk jose.JSONWebKey
	if err := json.Unmarshal(row.Public, &jwk); err != nil {
		return nil, fmt.Errorf("signing key %q: reading its public part: %w", row.ID, err)
	}
	method := signingMethod(row.Algorithm)
	if method == nil || !jwk.IsPublic() || jwk.KeyID != row.ID { // which describe made
		return nil, fmt.Errorf("signing key %q is not usable", row.ID)
	}
	loaded := &key{
		id: row.ID, print: row.ID, alg: row.Algorithm, state: row.State, changed: row.ChangedAt, created: row.CreatedAt,
		method: method, public: jwk.Key, jwk: jwk,
	}
	der, err := k.Keyring.Open(sealLabel, sealPlace(row.ID), row.Private)
	if err != nil {
		return loaded, nil
	}
	private, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("signing key %q: reading its private part: %w", row.ID, err)
	}
	signer, ok := private.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("signing key %q cannot sign", row.ID)
	}
	loaded.private = signer
	return loaded, nil
}

// fits reports whether a key is of its algorithm's kind and size.
func fits(alg string, public crypto.PublicKey) error {
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		if alg == ES256 && k.Curve == elliptic.P256() {
			return nil
		}
	case ed25519.PublicKey:
		if alg == EdDSA {
			return nil
		}
	case *rsa.PublicKey:
		if alg == RS256 && k.N.BitLen() >= 2048 {
			return nil
		}
	}
	return fmt.Errorf("the key does not fit %s", alg)
}
