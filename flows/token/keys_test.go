package token_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-auth/gatehouse/flows/keyring"
	"github.com/gatehouse-auth/gatehouse/flows/token"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
	"github.com/gatehouse-auth/gatehouse/tokenstore/sqlite"
)

const issuer = "https://auth.test"

type clock struct {
	mu  sync.Mutex
	off time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.off)
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.off += d
}

func openStore(t testing.TB, c *clock) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(filepath.Join(t.TempDir(), "keys.db"), sqlite.Options{Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := s.Migrate(context.Background()); err != nil {
		t.Fatal(err)
	}
	return s
}

func node(t testing.TB, s tokenstore.SigningKeys, c *clock, secrets ...string) *token.Keys {
	t.Helper()
	if len(secrets) == 0 {
		secrets = []string{"a secret of sufficient length"}
	}
	var raw [][]byte
	for _, s := range secrets {
		raw = append(raw, []byte(s))
	}
	ring, err := keyring.New(rand.Reader, raw...)
	if err != nil {
		t.Fatal(err)
	}
	return token.NewKeys(token.Config{
		Store: s, Keyring: ring, Logger: slog.New(slog.DiscardHandler), Now: c.now, Random: rand.Reader,
		Algorithms: []string{token.ES256, token.EdDSA},
	})
}

func claims(c *clock) jwt.RegisteredClaims {
	return jwt.RegisteredClaims{
		Issuer: issuer, Subject: "s", IssuedAt: jwt.NewNumericDate(c.now()), ExpiresAt: jwt.NewNumericDate(c.now().Add(20 * time.Minute)),
	}
}

func kids(k *token.Keys) map[string]bool {
	var set struct {
		Keys []struct {
			KID string `json:"kid"`
			D   string `json:"d"`
		} `json:"keys"`
	}
	if err := json.Unmarshal(k.JWKS(), &set); err != nil {
		return nil
	}
	found := map[string]bool{}
	for _, key := range set.Keys {
		if key.D != "" {
			return nil
		}
		found[key.KID] = true
	}
	return found
}

func kidOf(t *testing.T, raw string) string {
	t.Helper()
	parsed, _, err := jwt.NewParser().ParseUnverified(raw, &jwt.RegisteredClaims{})
	if err != nil {
		t.Fatal(err)
	}
	kid, _ := parsed.Header["kid"].(string)
	return kid
}

func TestKeys_LiveAndRotate(t *testing.T) {
	c := &clock{}
	store := openStore(t, c)
	k := node(t, store, c)
	if _, err := k.Sign(token.TypeAccess, token.ES256, claims(c)); !errors.Is(err, token.ErrNoKey) {
		t.Fatalf("signing before loading: %v", err)
	}
	refresh := func() {
		t.Helper()
		if err := k.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	sign := func() string {
		t.Helper()
		raw, err := k.Sign(token.TypeAccess, token.ES256, claims(c))
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	refresh()
	first := sign()
	if len(kids(k)) != 2 {
		t.Fatalf("published: %v", kids(k))
	}
	// An hour before the old key is due, the new one is published and does
	// not sign yet.
	c.advance(30*24*time.Hour - time.Hour + time.Minute)
	refresh()
	if len(kids(k)) != 4 || kidOf(t, sign()) != kidOf(t, first) {
		t.Fatalf("the new key is not pending: %v", kids(k))
	}
	c.advance(time.Hour)
	before := sign()
	refresh()
	after := sign()
	if kidOf(t, after) == kidOf(t, before) {
		t.Fatal("the new key does not sign after its hour")
	}
	// What the retired one signed is good while it can live.
	if err := k.Verify(before, token.TypeAccess, issuer, &jwt.RegisteredClaims{}); err != nil {
		t.Fatal(err)
	}
	c.advance(26 * time.Hour)
	refresh()
	if len(kids(k)) != 2 || kids(k)[kidOf(t, before)] {
		t.Fatalf("the retired key is still published: %v", kids(k))
	}
	if err := k.RotateNow(t.Context()); err != nil || len(kids(k)) != 4 {
		t.Fatalf("rotation on command: %v %v", err, kids(k))
	}
}

func TestKeys_NodesAgree(t *testing.T) {
	c := &clock{}
	store := openStore(t, c)
	nodes := make([]*token.Keys, 6)
	var all sync.WaitGroup
	for i := range nodes {
		nodes[i] = node(t, store, c)
		all.Go(func() {
			if err := nodes[i].Refresh(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	var kid string
	for _, n := range nodes {
		if err := n.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		raw, err := n.Sign(token.TypeAccess, token.ES256, claims(c))
		if err != nil {
			t.Fatal(err)
		}
		if kid == "" {
			kid = kidOf(t, raw)
		}
		if kidOf(t, raw) != kid {
			t.Error("two nodes sign with two keys")
		}
		if err := nodes[0].Verify(raw, token.TypeAccess, issuer, &jwt.RegisteredClaims{}); err != nil {
			t.Error(err)
		}
	}
}

func TestKeys_AnotherSecretVerifiesButDoesNotSign(t *testing.T) {
	c := &clock{}
	store := openStore(t, c)
	mine := node(t, store, c)
	if err := mine.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	raw, err := mine.Sign(token.TypeAccess, token.ES256, claims(c))
	if err != nil {
		t.Fatal(err)
	}
	stranger := node(t, store, c, "another secret of some length")
	if err := stranger.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := stranger.Verify(raw, token.TypeAccess, issuer, &jwt.RegisteredClaims{}); err != nil {
		t.Errorf("verifying needs no secret: %v", err)
	}
	if _, err := stranger.Sign(token.TypeAccess, token.ES256, claims(c)); !errors.Is(err, token.ErrNoKey) {
		t.Errorf("signing with a key that cannot be opened: %v", err)
	}
}

func TestVerify_Refuses(t *testing.T) {
	c := &clock{}
	k := node(t, openStore(t, c), c)
	if err := k.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	good, err := k.Sign(token.TypeAccess, token.ES256, claims(c))
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(good, ".")
	header := func(change func(map[string]any)) string {
		h := map[string]any{}
		raw, _ := base64.RawURLEncoding.DecodeString(parts[0])
		_ = json.Unmarshal(raw, &h)
		change(h)
		raw, _ = json.Marshal(h)
		return base64.RawURLEncoding.EncodeToString(raw)
	}
	with := func(head, body, signature string) string { return head + "." + body + "." + signature }
	sign := func(typ string, cl jwt.RegisteredClaims) string {
		raw, err := k.Sign(typ, token.ES256, cl)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	change := func(f func(*jwt.RegisteredClaims)) jwt.RegisteredClaims { cl := claims(c); f(&cl); return cl }
	hmac, _ := jwt.NewWithClaims(jwt.SigningMethodHS256, claims(c)).SignedString(k.JWKS())
	for name, raw := range map[string]string{
		"empty": "", "truncated": good[:len(good)-1], "extended": good + "A", "padded": good + "=", "other class": sign(token.TypeID, claims(c)),
		"alg none":     with(header(func(h map[string]any) { h["alg"] = "none" }), parts[1], ""),
		"HS256":        hmac,
		"jku":          with(header(func(h map[string]any) { h["jku"] = "https://evil.test" }), parts[1], parts[2]),
		"crit":         with(header(func(h map[string]any) { h["crit"] = []string{"x"} }), parts[1], parts[2]),
		"unknown kid":  with(header(func(h map[string]any) { h["kid"] = "../../etc/passwd" }), parts[1], parts[2]),
		"no kid":       with(header(func(h map[string]any) { delete(h, "kid") }), parts[1], parts[2]),
		"expired":      sign(token.TypeAccess, change(func(r *jwt.RegisteredClaims) { r.ExpiresAt = jwt.NewNumericDate(c.now().Add(-time.Minute)) })),
		"no expiry":    sign(token.TypeAccess, change(func(r *jwt.RegisteredClaims) { r.ExpiresAt = nil })),
		"other issuer": sign(token.TypeAccess, change(func(r *jwt.RegisteredClaims) { r.Issuer = issuer + "/" })),
		"no issuer":    sign(token.TypeAccess, change(func(r *jwt.RegisteredClaims) { r.Issuer = "" })),
		"future":       sign(token.TypeAccess, change(func(r *jwt.RegisteredClaims) { r.IssuedAt = jwt.NewNumericDate(c.now().Add(time.Hour)) })),
	} {
		if err := k.Verify(raw, token.TypeAccess, issuer, &jwt.RegisteredClaims{}); !errors.Is(err, token.ErrToken) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := k.Verify(good, token.TypeAccess, issuer, &jwt.RegisteredClaims{}); err != nil {
		t.Errorf("the good one: %v", err)
	}
}

func FuzzVerify(f *testing.F) {
	c := &clock{}
	k := node(f, openStore(f, c), c)
	if err := k.Refresh(context.Background()); err != nil {
		f.Fatal(err)
	}
	good, err := k.Sign(token.TypeAccess, token.ES256, claims(c))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, raw string) {
		if err := k.Verify(raw, token.TypeAccess, issuer, &jwt.RegisteredClaims{}); err == nil && raw != good {
			t.Errorf("%q passes", raw)
		}
	})
}

func BenchmarkSign(b *testing.B) {
	c := &clock{}
	k := node(b, openStore(b, c), c)
	if err := k.Refresh(context.Background()); err != nil {
		b.Fatal(err)
	}
	for _, alg := range []string{token.ES256, token.EdDSA} {
		b.Run(alg, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := k.Sign(token.TypeAccess, alg, claims(c)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
