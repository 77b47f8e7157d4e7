package token_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-auth/gatehouse/flows/token"
)

// TestVerify_JudgesWhatIsWellSigned: the signature is good in each of these, so
// that nothing else can be the reason (RFC 7515, section 4.1; RFC 8725).
func TestVerify_JudgesWhatIsWellSigned(t *testing.T) {
	c := &clock{}
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	file, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: own, Algorithm: "ES256", KeyID: "own"}, {Key: ed, Algorithm: "EdDSA", KeyID: "ed"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(name, file, 0o600); err != nil {
		t.Fatal(err)
	}
	k := token.NewKeys(token.Config{File: name, Logger: slog.New(slog.DiscardHandler), Now: c.now, Random: rand.Reader})
	if err := k.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	sign := func(method jwt.SigningMethod, key any, header, body map[string]any) string {
		claims := jwt.MapClaims{"iss": issuer, "sub": "s", "iat": c.now().Unix(), "exp": c.now().Add(time.Minute).Unix()}
		maps.Copy(claims, body)
		maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
		made := jwt.NewWithClaims(method, claims)
		made.Header["typ"], made.Header["kid"] = token.TypeAccess, "own"
		maps.Copy(made.Header, header)
		maps.DeleteFunc(made.Header, func(_ string, v any) bool { return v == nil })
		raw, err := made.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	headed := func(header map[string]any) string { return sign(jwt.SigningMethodES256, own, header, nil) }
	saying := func(body map[string]any) string { return sign(jwt.SigningMethodES256, own, nil, body) }
	der, err := x509.MarshalPKIXPublicKey(own.Public())
	if err != nil {
		t.Fatal(err)
	}
	public, err := jose.JSONWebKey{Key: own.Public()}.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	good := headed(nil)
	cut := strings.LastIndexByte(good, '.') + 10
	verify := func(raw string) error { return k.Verify(raw, token.TypeAccess, issuer, &jwt.RegisteredClaims{}) }
	for name, raw := range map[string]string{"the good one": good, "by the other key": sign(jwt.SigningMethodEdDSA, ed, map[string]any{"kid": "ed"}, nil)} {
		if err := verify(raw); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	for name, raw := range map[string]string{
		"alg none":                 sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil, nil),
		"HS256 with the DER":       sign(jwt.SigningMethodHS256, der, nil, nil),
		"HS256 with the PEM":       sign(jwt.SigningMethodHS256, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil, nil),
		"HS256 with the JWK":       sign(jwt.SigningMethodHS256, public, nil, nil),
		"HS256 with the key set":   sign(jwt.SigningMethodHS256, k.JWKS(), nil, nil),
		"HS256 with nothing":       sign(jwt.SigningMethodHS256, []byte{}, nil, nil),
		"the kid of another key":   headed(map[string]any{"kid": "ed"}),
		"the other's, with my kid": sign(jwt.SigningMethodEdDSA, ed, nil, nil),
		"an unknown kid":           headed(map[string]any{"kid": "x"}),
		"no kid":                   headed(map[string]any{"kid": nil}),
		"a kid that is a number":   headed(map[string]any{"kid": 1}),
		"crit":                     headed(map[string]any{"crit": []string{"exp"}}),
		"an empty crit":            headed(map[string]any{"crit": []string{}}),
		"jku":                      headed(map[string]any{"jku": "https://evil.test/jwks"}),
		"x5u":                      headed(map[string]any{"x5u": "https://evil.test/x5u"}),
		"x5c":                      headed(map[string]any{"x5c": []string{"x"}}),
		"jwk":                      headed(map[string]any{"jwk": json.RawMessage(public)}),
		"another typ":              headed(map[string]any{"typ": token.TypeID}),
		"a typ in upper case":      headed(map[string]any{"typ": "AT+JWT"}),
		"no typ":                   headed(map[string]any{"typ": nil}),
		"no expiry":                saying(map[string]any{"exp": nil}),
		"an expiry in words":       saying(map[string]any{"exp": "tomorrow"}),
		"expired":                  saying(map[string]any{"exp": c.now().Add(-time.Minute).Unix()}),
		"not yet issued":           saying(map[string]any{"iat": c.now().Add(time.Hour).Unix()}),
		"not good before":          saying(map[string]any{"nbf": c.now().Add(time.Hour).Unix()}),
		"no issuer":                saying(map[string]any{"iss": nil}),
		"another issuer":           saying(map[string]any{"iss": issuer + "/"}),
		"an issuer in upper case":  saying(map[string]any{"iss": strings.ToUpper(issuer)}),
		"cut short":                good[:len(good)-1],
		"extended":                 good + "A",
		"padded":                   good + "=",
		"a dot more":               good + ".",
		"a part more":              good + ".e30",
		"a space before":           " " + good,
		"a space after":            good + " ",
		"a line feed after":        good + "\n",
		"line feeds within":        good[:cut] + "\r\n" + good[cut:],
		"not canonical":            good[:len(good)-1] + string("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", good[len(good)-1])^1]),
	} {
		if err := verify(raw); !errors.Is(err, token.ErrToken) {
			t.Errorf("%s: %v", name, err)
		}
		if name == "expired" || name == "no expiry" || name == "an expiry in words" || name == "not yet issued" || name == "not good before" {
			continue
		}
		if err := k.VerifyExpired(raw, token.TypeAccess, issuer, &jwt.RegisteredClaims{}); !errors.Is(err, token.ErrToken) {
			t.Errorf("%s, where it may have expired: %v", name, err)
		}
	}
}
