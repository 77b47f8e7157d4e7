package token_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/gatehouse-auth/gatehouse/flows/token"
)

// fileJWK is a private key as a file has it, with more members.
func fileJWK(t *testing.T, key any, alg, kid string, more map[string]any) map[string]any {
	t.Helper()
	raw, err := json.Marshal(jose.JSONWebKey{Key: key, Algorithm: alg, KeyID: kid})
	if err != nil {
		t.Fatal(err)
	}
	jwk := map[string]any{}
	if err := json.Unmarshal(raw, &jwk); err != nil {
		t.Fatal(err)
	}
	maps.Copy(jwk, more)
	return jwk
}

func keysOfFile(t *testing.T, jwks ...map[string]any) (*token.Keys, error) {
	t.Helper()
	raw, err := json.Marshal(map[string]any{"keys": jwks})
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(name, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	k := token.NewKeys(token.Config{File: name, Logger: slog.New(slog.DiscardHandler), Now: new(clock).now, Random: rand.Reader})
	return k, k.Refresh(t.Context())
}

// RFC 9864, section 2.2: Ed25519 is the name that says which curve; new tools write
// no other. Such a key signs what is asked for as EdDSA, and is published as that.
func TestFile_TakesTheNamesOfRFC9864(t *testing.T) {
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	k, err := keysOfFile(t, fileJWK(t, ed, "Ed25519", "one", nil))
	if err != nil {
		t.Fatal(err)
	}
	if offered := k.Offered(); !slices.Equal(offered, []string{token.EdDSA}) {
		t.Errorf("it signs by %v", offered)
	}
	raw, err := k.Sign(token.TypeID, token.EdDSA, claims(new(clock)))
	if err != nil || kidOf(t, raw) != "one" {
		t.Errorf("%v, by %q", err, kidOf(t, raw))
	}
	var published jose.JSONWebKeySet
	if err := json.Unmarshal(k.JWKS(), &published); err != nil || len(published.Keys) != 1 || published.Keys[0].Algorithm != token.EdDSA {
		t.Errorf("%v, published %s", err, k.JWKS())
	}
	if _, err := keysOfFile(t, fileJWK(t, ed, "Ed448", "one", nil)); err == nil {
		t.Error("a key of another curve's name was taken")
	}
}

// RFC 7517, sections 4.2 and 4.3: a key does what its use and key_ops say.
func TestFile_HonoursKeyOps(t *testing.T) {
	ec := func() any { key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader); return key }
	good := fileJWK(t, ec(), "ES256", "good", map[string]any{"key_ops": []string{"sign"}})
	for name, c := range map[string]struct {
		first     map[string]any
		published int
	}{
		"only verifies":  {map[string]any{"key_ops": []string{"verify"}}, 2},
		"agrees on keys": {map[string]any{"key_ops": []string{"deriveKey"}}, 1},
		"nothing":        {map[string]any{"key_ops": []string{}}, 1},
		"encrypts":       {map[string]any{"use": "enc"}, 1},
	} {
		first := fileJWK(t, ec(), "ES256", "first", c.first)
		k, err := keysOfFile(t, first, good)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		raw, err := k.Sign(token.TypeAccess, token.ES256, claims(new(clock)))
		if err != nil || kidOf(t, raw) != "good" || len(kids(k)) != c.published {
			t.Errorf("%s: %v, signed by %q, published %v", name, err, kidOf(t, raw), kids(k))
		}
		if _, err := keysOfFile(t, first); err == nil {
			t.Errorf("%s: a file without a key that may sign was taken", name)
		}
	}
	if _, err := keysOfFile(t, fileJWK(t, ec(), "ES256", "x", map[string]any{"key_ops": "sign"})); err == nil {
		t.Error("key_ops that are no list were taken")
	}
}
