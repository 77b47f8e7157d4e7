package accesstoken

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/token"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// A token is remembered as verified for no longer than the longest life that this
// configuration gives one, though it was signed with an exp of ten years.
func TestVerifyNew_RemembersNoLongerThanTokensLive(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: private, KeyID: "one", Algorithm: "ES256", Use: "sig"}}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_800_000_000, 0)
	keys := token.NewKeys(token.Config{File: file, Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }})
	if err := keys.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	at := web.SiteIssuer("https://a.test", "a.test")
	for _, c := range []struct{ longest, exp, remembered time.Duration }{
		{client.DefaultAccessTokenLifetime, 10 * 365 * 24 * time.Hour, client.DefaultAccessTokenLifetime},
		{3 * time.Hour, 10 * 365 * 24 * time.Hour, 3 * time.Hour},
		{3 * time.Hour, time.Hour, time.Hour},
	} {
		g := &Verifier{Config: Config{Keys: keys, Now: func() time.Time { return now }, Longest: c.longest}, tokens: newTokens()}
		signed, err := keys.Sign(token.TypeAccess, token.ES256, jwt.MapClaims{
			"iss": at.ID(), "sub": "s", "client_id": "c", "jti": "j", "aud": []string{"https://a.test"},
			"iat": now.Unix(), "exp": now.Add(c.exp).Unix(),
		})
		if err != nil {
			t.Fatal(err)
		}
		got, err := g.VerifySignature(at, signed)
		if err != nil {
			t.Fatal(err)
		}
		if left := got.expires.Sub(now); left != c.remembered {
			t.Errorf("a token with %s left is remembered for %s where none lives longer than %s", c.exp, left, c.longest)
		}
	}
}
