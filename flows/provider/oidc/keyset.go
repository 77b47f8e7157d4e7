package oidc

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/provider/outbound"
)

const (
	minRSABits = 2048
	maxRSABits = 8192
	maxKeys    = 100
)

var errSignature = errors.New("no key of the provider verifies the signature")

// publicKey is one of the keys that a provider publishes.
type publicKey struct {
	jose.JSONWebKey

	// issuer is whose tokens the key signs, where it says so; else "".
	issuer string
}

// keySet verifies one token by the provider's published keys.
type keySet struct {
	config *Config
	keys   *cached[[]publicKey]
	// interval is the least time between two fetches for the sake of unknown keys.
	interval time.Duration
	// unavailable is why there were no keys to verify with: the verifier does
	// not hand the error on.
	unavailable error
}

// answerInterval is for tokens that come from the provider itself, in its answer to us.
// Nobody else chooses their key ids, and a provider may change its keys at any moment.
const answerInterval = time.Second

// keySet is for a token that comes from the provider itself.
func (p *Provider) keySet() *keySet {
	return &keySet{config: &p.config, keys: p.keys, interval: answerInterval}
}

// VerifySignature returns the payload of a token whose form and algorithm have
// been checked before.
func (s *keySet) VerifySignature(ctx context.Context, raw string) ([]byte, error) {
	token, err := parseJWS(raw)
	if err != nil {
		return nil, err
	}
	keys, err := s.keys.get(ctx)
	if err != nil {
		s.unavailable = err
		return nil, err
	}
	if payload, ok := s.verifyWith(keys, token); ok {
		return payload, nil
	}
	// The provider may have changed its keys.
	keys, err = s.keys.renew(ctx, s.interval)
	if err != nil {
		s.unavailable = err
		return nil, err
	}
	if payload, ok := s.verifyWith(keys, token); ok {
		return payload, nil
	}
	return nil, errSignature
}

func (s *keySet) verifyWith(keys []publicKey, token *jose.JSONWebSignature) ([]byte, bool) {
	header := token.Signatures[0].Header
	var fit []publicKey
	for _, k := range keys {
		if (header.KeyID == "" || header.KeyID == k.KeyID) && fits(k, header.Algorithm) {
			fit = append(fit, k)
		}
	}
	// A token must name its key where there are several (OpenID Connect Core,
	// section 10.1).
	if header.KeyID == "" && len(fit) > 1 {
		return nil, false
	}
	for _, k := range fit {
		if payload, err := token.Verify(k.Key); err == nil {
			return payload, s.config.signsFor(k.issuer, payload)
		}
	}
	return nil, false
}

// signsFor reports whether a key of an issuer may sign a token. Where tenants share a
// JWKS, each key says whose tokens it signs, those of all by the same placeholder as the
// metadata: https://learn.microsoft.com/entra/identity-platform/access-tokens#validate-the-issuer
func (c *Config) signsFor(issuer string, payload []byte) bool {
	if !c.isOfTenants() || issuer == "" || issuer == c.Issuer {
		return true
	}
	claims, err := parseClaims(payload)
	return err == nil && issuer == textOf(claims["iss"])
}

// fits reports whether a key is meant for an algorithm (RFC 8725, section 3.1).
func fits(k publicKey, alg string) bool {
	if k.Algorithm != "" && k.Algorithm != alg {
		return false
	}
	switch key := k.Key.(type) {
	case *rsa.PublicKey:
		return alg[:2] == "RS" || alg[:2] == "PS"
	case *ecdsa.PublicKey:
		return alg == map[string]string{"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}[key.Curve.Params().Name]
	case ed25519.PublicKey:
		return alg == "EdDSA"
	}
	return false
}

func (p *Provider) fetchKeys(ctx context.Context) ([]publicKey, error) {
	m, err := p.metadata.get(ctx)
	if err != nil {
		return nil, err
	}
	return p.fetchKeysOf(ctx, m)
}

func (p *Provider) fetchKeysOf(ctx context.Context, m *metadata) ([]publicKey, error) {
	body, err := outbound.GetJSON(ctx, p.client, m.JWKSURL, "")
	if err != nil {
		return nil, err
	}
	return parseKeys(body)
}

// parseKeys reads a key set. Keys that cannot be used are left out: a provider
// may publish kinds that are newer than this code (RFC 7517, section 5). Of the
// others, symmetric, private and weak ones are. None of them counts towards maxKeys.
func parseKeys(body []byte) ([]publicKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, fmt.Errorf("%w: reading its keys: %w", provider.ErrUnavailable, err)
	}
	var keys []publicKey
	for _, raw := range set.Keys {
		var k publicKey
		if json.Unmarshal(raw, &k.JSONWebKey) != nil || !usable(k) || len(keys) == maxKeys {
			continue
		}
		if members, err := parseClaims(raw); err == nil {
			k.issuer = textOf(members["issuer"])
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%w: it publishes no key that can be used", provider.ErrUnavailable)
	}
	return keys, nil
}

func usable(k publicKey) bool {
	if !k.Valid() || !k.IsPublic() || k.Use != "" && k.Use != "sig" || len(k.KeyID) > maxKeyID {
		return false
	}
	switch key := k.Key.(type) {
	case *rsa.PublicKey:
		bits := key.N.BitLen()
		return bits >= minRSABits && bits <= maxRSABits && key.E >= 3
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return true
	}
	return false
}

var _ oidc.KeySet = (*keySet)(nil)
