package flows_test

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/clientjwt"
)

// es384 signs as ES384 with a key of the curve P-256, which no library does.
func es384(t *testing.T, key *ecdsa.PrivateKey, header, claims map[string]any) string {
	t.Helper()
	header["alg"] = "ES384"
	head, _ := json.Marshal(header)
	body, _ := json.Marshal(claims)
	signed := base64.RawURLEncoding.EncodeToString(head) + "." + base64.RawURLEncoding.EncodeToString(body)
	digest := sha512.Sum384([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	signature := make([]byte, 96)
	r.FillBytes(signature[:48])
	s.FillBytes(signature[48:])
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// ES384 is of the curve P-384 alone (RFC 7518, section 3.4).
func TestClientKeys_ServeTheAlgorithmOfTheirCurve(t *testing.T) {
	k := newKeyed(t)
	assertion := es384(t, k.key, map[string]any{"kid": "k1"}, map[string]any{
		"iss": "keyed", "sub": "keyed", "aud": k.w.portalURL(), "exp": k.now().Add(time.Minute).Unix(),
	})
	k.present(assertion).refused(t, "an assertion of ES384 by P-256", http.StatusUnauthorized, "invalid_client")

	endpoint := k.w.portalURL() + "/token"
	proof := es384(t, k.key, map[string]any{"typ": "dpop+jwt", "jwk": json.RawMessage(publicJWK(k.holder))}, map[string]any{
		"htm": "POST", "htu": endpoint, "iat": k.now().Unix(), "jti": "one",
	})
	web := app{t, k.w, "web", "web-secret-of-enough-length"}
	form := url.Values{"grant_type": {"client_credentials"}}
	if got := web.send(form, proof); got.text("error") != "invalid_dpop_proof" {
		t.Errorf("a proof of ES384 by P-256: %d %v", got.status, got.body)
	}
	alg := k.proof("POST", endpoint, "", func(h, _ map[string]any) {
		jwk := map[string]any{}
		_ = json.Unmarshal(publicJWK(k.holder), &jwk)
		jwk["alg"] = "ES384"
		h["jwk"] = jwk
	})
	if got := web.send(form, alg); got.text("error") != "invalid_dpop_proof" {
		t.Errorf("a proof of ES256 by a key of ES384: %d %v", got.status, got.body)
	}
}

// The alg of a key says what it is for (RFC 7517, section 4.4).
func TestClientKeys_ServeTheirOwnAlgorithm(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, worldOptions{portal: true, clients: []*client.Client{{
		ID: "keyed", Keys: map[string]clientjwt.Key{"k1": {Public: key.Public(), Algorithm: "RS256"}}, Grants: []string{client.GrantClientCredentials}, Scopes: []string{},
	}}})
	w.clock.hold(0)
	for method, want := range map[jwt.SigningMethod]int{jwt.SigningMethodRS256: http.StatusOK, jwt.SigningMethodPS256: http.StatusUnauthorized} {
		assertion, err := jwt.NewWithClaims(method, jwt.MapClaims{
			"iss": "keyed", "sub": "keyed", "aud": w.portalURL(), "jti": rand.Text(), "exp": w.clock.now().Add(time.Minute).Unix(),
		}).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		if got := (keyed{&holder{t: t, now: w.clock.now}, w}).present(assertion); got.status != want {
			t.Errorf("%s by a key of RS256: %d %s", method.Alg(), got.status, got.text)
		}
	}
}
