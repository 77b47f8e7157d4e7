package clientjwt

import (
	"crypto/elliptic"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

type sampleClaims struct {
	Method string `json:"htm"`
	At     *Time  `json:"iat"`
}

// sign makes a token of a header and claims as they are spelt.
func sign(t testing.TB, key any, header, claims string) string {
	t.Helper()
	signed := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
	signature, err := jwt.SigningMethodES256.Sign(signed, key)
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func TestParse_TakesOneSpelling(t *testing.T) {
	key := ecKey(t, elliptic.P256())
	find := func(Header) (Key, error) { return Key{Public: key.Public()}, nil }
	const header, claims = `{"alg":"ES256"}`, `{"htm":"POST","iat":1800000000.5}`
	good := sign(t, key, header, claims)
	var got sampleClaims
	signature, err := Parse(good, &got, find)
	if err != nil || len(signature) != 64 || got.Method != "POST" || got.At.UnixMilli() != 1_800_000_000_500 {
		t.Fatalf("%+v, %d bytes of signature, %v", got, len(signature), err)
	}
	dot := strings.LastIndexByte(good, '.')
	other := sign(t, key, header, `{"htm":"GET"}`)
	for name, raw := range map[string]string{
		"a date in quotes":              sign(t, key, header, `{"htm":"POST","iat":"1800000000"}`),
		"a date without end":            sign(t, key, header, `{"iat":1e300}`),
		"a claim twice":                 sign(t, key, header, `{"htm":"POST","htm":"GET"}`),
		"claims that are none":          sign(t, key, header, `[]`),
		"more than claims":              sign(t, key, header, claims+"{}"),
		"a parameter twice":             sign(t, key, `{"alg":"ES256","alg":"ES256"}`, claims),
		"alg in upper case":             sign(t, key, `{"ALG":"ES256"}`, claims),
		"another algorithm":             sign(t, key, `{"alg":"ES384"}`, claims),
		"none":                          sign(t, key, `{"alg":"none"}`, claims),
		"HS256":                         sign(t, key, `{"alg":"HS256"}`, claims),
		"crit":                          sign(t, key, `{"alg":"ES256","crit":["exp"]}`, claims),
		"b64":                           sign(t, key, `{"alg":"ES256","b64":true}`, claims),
		"jku":                           sign(t, key, `{"alg":"ES256","jku":"https://evil.test/"}`, claims),
		"x5u":                           sign(t, key, `{"alg":"ES256","x5u":null}`, claims),
		"a line break in signature":     good[:dot+5] + "\n" + good[dot+5:],
		"a line break at the end":       good + "\r\n",
		"padding":                       good + "=",
		"other bits behind the last":    good[:len(good)-1] + string(good[len(good)-1]+1),
		"cut short":                     good[:len(good)-2],
		"two parts":                     good[:dot],
		"four":                          good + ".e30",
		"another's signature":           sign(t, ecKey(t, elliptic.P256()), header, claims),
		"a signature of something else": other[:strings.LastIndexByte(other, '.')] + good[dot:],
	} {
		if _, err := Parse(raw, new(sampleClaims), find); !errors.Is(err, ErrToken) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Parse(sign(t, key, `{"alg":"ES256","x5c":["MIIB"],"x5t":"x"}`, claims), &got, find); err != nil {
		t.Errorf("a library that signs by a certificate: %v", err)
	}
	// Who writes the names of claims in another case has not said them.
	got = sampleClaims{}
	if _, err := Parse(sign(t, key, header, `{"HTM":"POST","Iat":1}`), &got, find); err != nil || got.Method != "" || got.At != nil {
		t.Errorf("%+v, %v", got, err)
	}
}

// FuzzParse: nothing but what the key signed is taken.
func FuzzParse(f *testing.F) {
	key := ecKey(f, elliptic.P256())
	good := sign(f, key, `{"alg":"ES256"}`, `{"htm":"POST","iat":1}`)
	f.Add(good)
	f.Add("e30.e30.e30")
	f.Add(strings.Replace(good, ".", "\n.", 1))
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Fuzz(func(t *testing.T, raw string) {
		var claims sampleClaims
		_, err := Parse(raw, &claims, func(Header) (Key, error) { return Key{Public: key.Public()}, nil })
		if err == nil && raw[:strings.LastIndexByte(raw, '.')] != good[:strings.LastIndexByte(good, '.')] {
			t.Errorf("%q is taken", raw)
		}
		if err != nil && !errors.Is(err, ErrToken) {
			t.Errorf("%q: %v", raw, err)
		}
	})
}
