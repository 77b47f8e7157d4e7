package token

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"math/big"
	"strconv"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

// Verified by the library's own ES256, for many texts: one signature in 128
// has a half that begins with a zero byte.
func TestES256_IsWhatOthersVerify(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	method := signingMethod(ES256)
	for n := range 1000 {
		text := "text " + strconv.Itoa(n)
		signature, err := method.Sign(text, key)
		if err != nil {
			t.Fatal(err)
		}
		if err := jwt.SigningMethodES256.Verify(text, signature, &key.PublicKey); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if err := jwt.SigningMethodES256.Verify(text+"x", signature, &key.PublicKey); err == nil {
			t.Fatalf("%q: another text's signature is good", text)
		}
	}
}

// The key and the signature of RFC 6979, section A.2.5, with SHA-256 and the
// message "sample".
func TestES256_IsRFC6979(t *testing.T) {
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), number(t, "C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721").Bytes())
	if err != nil {
		t.Fatal(err)
	}
	signature, err := signingMethod(ES256).Sign("sample", key)
	if err != nil {
		t.Fatal(err)
	}
	r := number(t, "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716")
	s := number(t, "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8")
	if new(big.Int).SetBytes(signature[:32]).Cmp(r) != 0 || new(big.Int).SetBytes(signature[32:]).Cmp(s) != 0 {
		t.Errorf("signature %x", signature)
	}
}

func TestES256_OtherKeys(t *testing.T) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := signingMethod(ES256).Sign("text", private); !errors.Is(err, jwt.ErrInvalidKeyType) {
		t.Errorf("an Ed25519 key: %v", err)
	}
	large, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := signingMethod(ES256).Sign("text", large); !errors.Is(err, jwt.ErrInvalidKey) {
		t.Errorf("a P-384 key: %v", err)
	}
}

func number(t *testing.T, hex string) *big.Int {
	t.Helper()
	n, ok := new(big.Int).SetString(hex, 16)
	if !ok {
		t.Fatalf("%s is no number", hex)
	}
	return n
}

func BenchmarkSign(b *testing.B) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	for name, method := range map[string]jwt.SigningMethod{"deterministic": signingMethod(ES256), "random nonce": jwt.SigningMethodES256} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := method.Sign("text", key); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
