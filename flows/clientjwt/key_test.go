package clientjwt

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

func ecKey(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func rsaKey(t testing.TB, bits int) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// jwk spells a key, with further members.
func jwk(t testing.TB, key any, members map[string]any) map[string]any {
	t.Helper()
	raw, err := jose.JSONWebKey{Key: key}.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	spelt := map[string]any{}
	if err := json.Unmarshal(raw, &spelt); err != nil {
		t.Fatal(err)
	}
	maps.Copy(spelt, members)
	return spelt
}

func keySet(t testing.TB, keys ...map[string]any) []byte {
	t.Helper()
	raw, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// A key serves the algorithm that it is made for, and no other (RFC 7517, section
// 4.4; RFC 7518, sections 3.3 to 3.5).
func TestKey_TakesItsAlgorithmOnly(t *testing.T) {
	edwards, _, _ := ed25519.GenerateKey(rand.Reader)
	for name, c := range map[string]struct {
		key  Key
		want []string
	}{
		"P-256":        {Key{Public: ecKey(t, elliptic.P256()).Public()}, []string{"ES256"}},
		"P-384":        {Key{Public: ecKey(t, elliptic.P384()).Public()}, []string{"ES384"}},
		"P-521":        {Key{Public: ecKey(t, elliptic.P521()).Public()}, nil},
		"Ed25519":      {Key{Public: edwards}, []string{"EdDSA", "Ed25519"}},
		"of RFC 9864":  {Key{Public: edwards, Algorithm: "Ed25519"}, []string{"EdDSA", "Ed25519"}},
		"RSA":          {Key{Public: rsaKey(t, 2048).Public()}, []string{"RS256", "PS256"}},
		"RSA of RS256": {Key{Public: rsaKey(t, 2048).Public(), Algorithm: "RS256"}, []string{"RS256"}},
		"weak RSA":     {Key{Public: rsaKey(t, 1024).Public()}, nil},
		"P-256, ES384": {Key{Public: ecKey(t, elliptic.P256()).Public(), Algorithm: "ES384"}, nil},
		"none":         {Key{}, nil},
	} {
		var taken []string
		for _, alg := range append(Algorithms(), "none", "HS256", "ES512", "") {
			if c.key.Takes(alg) {
				taken = append(taken, alg)
			}
		}
		if !slices.Equal(taken, c.want) {
			t.Errorf("%s takes %v, want %v", name, taken, c.want)
		}
	}
}

func TestParseKeys_HoldsKeysToTheirPurpose(t *testing.T) {
	one, two := ecKey(t, elliptic.P256()), ecKey(t, elliptic.P384())
	rs := rsaKey(t, 2048)
	for name, c := range map[string]struct {
		set   []byte
		kids  []string
		fault string
	}{
		"one":                     {keySet(t, jwk(t, one.Public(), nil)), []string{""}, ""},
		"a change of keys":        {keySet(t, jwk(t, one.Public(), map[string]any{"kid": "a"}), jwk(t, two.Public(), map[string]any{"kid": "b", "use": "sig", "alg": "ES384", "key_ops": []string{"verify"}})), []string{"a", "b"}, ""},
		"one for encryption":      {keySet(t, jwk(t, one.Public(), map[string]any{"kid": "a", "use": "enc"})), nil, "no key for signatures"},
		"one beside":              {keySet(t, jwk(t, one.Public(), map[string]any{"kid": "a", "use": "enc", "alg": "ECDH-ES"}), jwk(t, two.Public(), map[string]any{"kid": "a"})), []string{"a"}, ""},
		"another operation":       {keySet(t, jwk(t, rs.Public(), map[string]any{"key_ops": []string{"wrapKey"}})), nil, "no key for signatures"},
		"no operation":            {keySet(t, jwk(t, rs.Public(), map[string]any{"key_ops": []string{}})), nil, "no key for signatures"},
		"operations of no list":   {keySet(t, jwk(t, rs.Public(), map[string]any{"key_ops": "verify"})), nil, "key_ops"},
		"an unknown type beside":  {keySet(t, map[string]any{"kty": "AKP", "pub": "AA"}, jwk(t, one.Public(), nil)), []string{""}, ""},
		"an algorithm of another": {keySet(t, jwk(t, one.Public(), map[string]any{"alg": "RS256"})), nil, "RS256"},
		"a foreign algorithm":     {keySet(t, jwk(t, rs.Public(), map[string]any{"alg": "PS512"})), nil, "PS512"},
		"weak":                    {keySet(t, jwk(t, rsaKey(t, 1024).Public(), nil)), nil, "fits none"},
		"private":                 {keySet(t, jwk(t, one, nil)), nil, "private"},
		"symmetric":               {keySet(t, map[string]any{"kty": "oct", "k": "AAAA"}), nil, "symmetric"},
		"one kid of two":          {keySet(t, jwk(t, one.Public(), nil), jwk(t, two.Public(), nil)), nil, "two keys"},
		"empty":                   {keySet(t), nil, "no key"},
		"no key set":              {[]byte("[]"), nil, "not a JWKS"},
		"no key":                  {[]byte(`{"keys":[1]}`), nil, "not a JWK"},
	} {
		keys, err := ParseKeys(c.set)
		if got := slices.Sorted(maps.Keys(keys)); !slices.Equal(got, c.kids) {
			t.Errorf("%s: kids %q, %v", name, got, err)
		}
		if (err != nil) != (c.fault != "") || err != nil && !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzParseKeys: whatever a file holds, each key that is returned is public and
// good for an algorithm.
func FuzzParseKeys(f *testing.F) {
	f.Add(keySet(f, jwk(f, ecKey(f, elliptic.P256()).Public(), map[string]any{"kid": "a"})))
	f.Add(keySet(f, jwk(f, ecKey(f, elliptic.P256()), map[string]any{"use": "enc"})))
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB","key_ops":null}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		keys, err := ParseKeys(raw)
		if err == nil && len(keys) == 0 {
			t.Error("neither a key nor an error")
		}
		for id, key := range keys {
			if _, private := key.Public.(crypto.Signer); private || !slices.ContainsFunc(Algorithms(), key.Takes) {
				t.Errorf("key %q is good for nothing", id)
			}
		}
	})
}
