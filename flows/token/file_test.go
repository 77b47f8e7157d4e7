package token_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-auth/gatehouse/flows/token"
)

func TestFile_FirstSignsAllVerify(t *testing.T) {
	one, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	two, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	_, three, _ := ed25519.GenerateKey(rand.Reader)
	name := filepath.Join(t.TempDir(), "keys.json")
	write := func(keys ...jose.JSONWebKey) {
		raw, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	first, second, third := jose.JSONWebKey{Key: one, Algorithm: "ES256", KeyID: "one"}, jose.JSONWebKey{Key: two, Algorithm: "ES256", KeyID: "two"}, jose.JSONWebKey{Key: three, Algorithm: "EdDSA"}
	c := &clock{}
	k := token.NewKeys(token.Config{File: name, Logger: slog.New(slog.DiscardHandler), Now: c.now, Random: rand.Reader})
	write(first, second, third)
	if err := k.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	before, err := k.Sign(token.TypeAccess, token.ES256, claims(c))
	if err != nil || kidOf(t, before) != "one" || len(kids(k)) != 3 {
		t.Fatalf("%v, signed by %q, published %v", err, kidOf(t, before), kids(k))
	}
	write(second, first, third)
	if err := k.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	after, _ := k.Sign(token.TypeAccess, token.ES256, claims(c))
	if kidOf(t, after) != "two" {
		t.Errorf("the new first key does not sign")
	}
	if err := k.Verify(before, token.TypeAccess, issuer, &jwt.RegisteredClaims{}); err != nil {
		t.Error(err)
	}
	if err := k.RotateNow(t.Context()); err == nil {
		t.Error("rotating keys of a file is no error")
	}
	// A file that was spoiled leaves what was good, and says no secret.
	secret := strings.Repeat("s", 40)
	for _, bad := range []string{`{"keys":[]}`, `{"keys":[{"kty":"oct","k":"` + secret + `","alg":"HS256"}]}`, secret, `{"keys":[{"kty":"EC","crv":"P-256"}]}`} {
		if err := os.WriteFile(name, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := k.Refresh(t.Context()); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	write(jose.JSONWebKey{Key: one, Algorithm: "EdDSA"})
	if err := k.Refresh(t.Context()); err == nil {
		t.Error("a key of another kind than its alg was taken")
	}
	if err := k.Verify(before, token.TypeAccess, issuer, &jwt.RegisteredClaims{}); err != nil {
		t.Error(err)
	}
}
