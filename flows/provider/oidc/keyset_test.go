package oidc

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

func TestRandomKeyIDsFetchOnceAMinute(t *testing.T) {
	t.Parallel()
	o := newOP(t)
	p := o.client(nil)
	if _, err := signIn(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	fetched := o.fetches["/keys"].Load
	flood := func() {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 125 {
					payload := fmt.Appendf(nil, `{"iss":%q}`, o.URL)
					raw := signed(t, jose.ES256, o.key, payload, obj{"kid": rand.Text()})
					if _, err := p.VerifyLogout(t.Context(), raw); !errors.Is(err, provider.ErrResponse) {
						t.Errorf("VerifyLogout() = %v, want ErrResponse", err)
						return
					}
				}
			})
		}
		wg.Wait()
	}
	flood()
	if n := fetched(); n != 1 {
		t.Errorf("1,000 unknown key ids within a minute of the first fetch: %d fetches, want that one", n)
	}
	o.at(noon.Add(61 * time.Second))
	flood()
	if n := fetched(); n != 2 {
		t.Errorf("1,000 unknown key ids a minute later: %d fetches, want 2", n)
	}
}

func TestKeyRotation(t *testing.T) {
	t.Parallel()
	o := newOP(t)
	p := o.client(nil)
	if _, err := signIn(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	next := newOP(t).key
	o.mu.Lock()
	o.keys = append(o.keys, jose.JSONWebKey{Key: &next.PublicKey, KeyID: "2"})
	o.sign = func(payload []byte) string { return signed(t, jose.ES256, next, payload, obj{"kid": "2"}) }
	// At once: the keys were fetched a moment ago.
	o.clock = noon.Add(time.Second)
	o.mu.Unlock()
	if _, err := signIn(t.Context(), p); err != nil {
		t.Errorf("with the new key: %v", err)
	}
}

func TestStaleKeysServeWhileTheProviderIsDown(t *testing.T) {
	t.Parallel()
	o := newOP(t)
	p := o.client(nil)
	if _, err := signIn(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	o.on("/keys", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
	o.at(noon.Add(3 * time.Hour))
	if _, err := signIn(t.Context(), p); err != nil {
		t.Errorf("Exchange() = %v", err)
	}
}

func TestKeySet(t *testing.T) {
	t.Parallel()
	body := func(s string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(s))
		}
	}
	keyJSON := func(o *op) string {
		raw, err := json.Marshal(o.keys[0])
		if err != nil {
			o.t.Fatal(err)
		}
		return string(raw)
	}
	for _, tt := range []struct {
		name   string
		answer func(o *op) string
		want   error
	}{
		{"empty object", func(*op) string { return "{}" }, provider.ErrUnavailable},
		{"no keys", func(*op) string { return `{"keys":[]}` }, provider.ErrUnavailable},
		{"not JSON", func(*op) string { return "<html>" }, provider.ErrUnavailable},
		{"an array", func(*op) string { return "[]" }, provider.ErrUnavailable},
		{"10 MiB", func(*op) string { return `{"keys":["` + strings.Repeat("x", 10<<20) + `"]}` }, provider.ErrUnavailable},
		{"oct key alone", func(*op) string { return `{"keys":[{"kty":"oct","k":"c2VjcmV0","kid":"1"}]}` }, provider.ErrUnavailable},
		{"off the curve", func(*op) string {
			return `{"keys":[{"kty":"EC","crv":"P-256","x":"` + strings.Repeat("A", 43) + `","y":"` + strings.Repeat("B", 43) + `","kid":"1"}]}`
		}, provider.ErrUnavailable},
		{"for encryption", func(o *op) string { return `{"keys":[` + strings.Replace(keyJSON(o), `"sig"`, `"enc"`, 1) + `]}` }, provider.ErrUnavailable},
		{"for another algorithm", func(o *op) string {
			return `{"keys":[` + strings.Replace(keyJSON(o), `"ES256"`, `"ES384"`, 1) + `]}`
		}, provider.ErrResponse},
		{"private", func(o *op) string {
			raw, _ := json.Marshal(jose.JSONWebKey{Key: o.key, KeyID: "1"})
			return `{"keys":[` + string(raw) + `]}`
		}, provider.ErrUnavailable},
		{"unknown kinds beside it", func(o *op) string {
			return `{"keys":[{"kty":"PQC","kid":"1"},7,null,{"kty":"OKP","crv":"Ed448","x":"AA"},` + keyJSON(o) + `]}`
		}, nil},
		{"many unknown kinds before it", func(o *op) string {
			return `{"keys":[` + strings.Repeat(`{"kty":"PQC","kid":"1"},`, 500) + keyJSON(o) + `]}`
		}, nil},
		{"kid twice, other key first", func(o *op) string {
			raw, _ := json.Marshal(jose.JSONWebKey{Key: &newOP(o.t).key.PublicKey, KeyID: "1"})
			return `{"keys":[` + string(raw) + `,` + keyJSON(o) + `]}`
		}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := newOP(t)
			o.on("/keys", body(tt.answer(o)))
			_, err := signIn(t.Context(), o.client(nil))
			if tt.want == nil && err != nil || !errors.Is(err, tt.want) {
				t.Errorf("Exchange() = %.300v, want %v", err, tt.want)
			}
		})
	}
}

func TestTokenWithoutKeyIDWhereThereAreSeveral(t *testing.T) {
	t.Parallel()
	o := newOP(t)
	o.keys = append(o.keys, jose.JSONWebKey{Key: &newOP(t).key.PublicKey, KeyID: "2"})
	o.sign = func(payload []byte) string { return signed(t, jose.ES256, o.key, payload, nil) }
	if _, err := signIn(t.Context(), o.client(nil)); !errors.Is(err, provider.ErrResponse) {
		t.Errorf("Exchange() = %v, want ErrResponse", err)
	}
}

func TestKeyStrength(t *testing.T) {
	t.Parallel()
	odd := func(bits uint) *big.Int { return new(big.Int).SetBit(big.NewInt(1), int(bits)-1, 1) }
	strong, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	edwards, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []*rsa.PublicKey{
		{N: odd(512), E: 65537},
		{N: odd(1024), E: 65537},
		{N: odd(16384), E: 65537}, // takes too long to verify with
		{N: odd(2048), E: 1},
	} {
		if usable(publicKey{JSONWebKey: jose.JSONWebKey{Key: k}}) {
			t.Errorf("RSA with %d bits and exponent %d is accepted", k.N.BitLen(), k.E)
		}
	}
	for _, tt := range []struct {
		key  any
		alg  string
		fits bool
	}{
		{&strong.PublicKey, "RS256", true},
		{&strong.PublicKey, "PS512", true},
		{&strong.PublicKey, "ES256", false},
		{&p384.PublicKey, "ES384", true},
		{&p384.PublicKey, "ES256", false},
		{edwards, "EdDSA", true},
		{edwards, "ES256", false},
	} {
		k := publicKey{JSONWebKey: jose.JSONWebKey{Key: tt.key}}
		if !usable(k) || fits(k, tt.alg) != tt.fits {
			t.Errorf("%T for %s: usable %t, fits %t", tt.key, tt.alg, usable(k), fits(k, tt.alg))
		}
	}
}

func TestHangingKeys(t *testing.T) {
	t.Parallel()
	o := newOP(t)
	o.on("/keys", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	p := o.client(func(c *Config) { c.HTTPClient.Timeout = 50 * time.Millisecond })
	if _, err := signIn(t.Context(), p); !errors.Is(err, provider.ErrUnavailable) || !strings.Contains(err.Error(), "it did not answer in time") {
		t.Errorf("Exchange() = %v, want ErrUnavailable", err)
	}
}
