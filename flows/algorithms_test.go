package flows_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/token"
)

// signingKeyFile holds a key of each algorithm.
func signingKeyFile(t *testing.T) string {
	t.Helper()
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: ec, Algorithm: "ES256"}, {Key: ed, Algorithm: "EdDSA"}, {Key: rs, Algorithm: "RS256"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// https://github.com/karakeep-app/karakeep/issues/1524, and openid-client 5,
// express-openid-connect, python-social-auth, kube-apiserver and Spring: a client
// that agreed on nothing expects RS256 (OpenID Connect Registration, section 2).
// Access tokens, which clients do not read, are ES256.
func TestOpenID_Algorithms(t *testing.T) {
	for name, c := range map[string]struct{ id, access, wantID, wantAccess string }{
		"the defaults":   {client.DefaultIDTokenAlgorithm, "", "RS256", "ES256"},
		"chosen":         {"ES256", "RS256", "ES256", "RS256"},
		"chosen, EdDSA":  {"EdDSA", "EdDSA", "EdDSA", "EdDSA"},
		"chosen, access": {"RS256", "EdDSA", "RS256", "EdDSA"},
	} {
		t.Run(name, func(t *testing.T) {
			clients := oauthClients()
			for _, of := range clients {
				of.IDTokenAlgorithm, of.AccessTokenAlgorithm = c.id, c.access
			}
			w := newWorld(t, worldOptions{portal: true, clients: clients, signingKeys: signingKeyFile(t)})
			got := w.tokens(w.signedInBrowser(), set("scope", "openid offline_access"))
			fresh := w.call("token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {got.answer.text("refresh_token")}}, basic("web"))
			for _, answer := range []answer{got.answer, fresh.answer} {
				id, _ := claimsOf(t, answer.text("id_token"))
				access, _ := claimsOf(t, answer.text("access_token"))
				if id["alg"] != c.wantID || access["alg"] != c.wantAccess {
					t.Errorf("ID token %v, access token %v", id["alg"], access["alg"])
				}
			}
			info := w.send(http.MethodGet, w.portalURL()+"/userinfo", "", "Authorization: Bearer "+got.answer.text("access_token"))
			if info.status != http.StatusOK {
				t.Errorf("userinfo by a token of %s: %d %s", c.wantAccess, info.status, info.text)
			}
		})
	}
	if new(client.Client).IDTokenAlgorithm != "" || client.DefaultIDTokenAlgorithm != token.RS256 || client.DefaultAccessTokenAlgorithm != token.ES256 {
		t.Error("the defaults are others")
	}
}
