package oauth_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/client"
	"github.com/zitadel/oidc/v3/pkg/client/rp"
	"github.com/zitadel/oidc/v3/pkg/client/rs"
	"github.com/zitadel/oidc/v3/pkg/oidc"
)

// newClientKey makes a key of a client: the file with its public half, and the
// private half as PEM.
func newClientKey(t *testing.T, key crypto.Signer) (file string, private []byte) {
	t.Helper()
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k1", Use: "sig"}}})
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "jwks.json")
	if err := os.WriteFile(file, set, 0o600); err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// startKeyedApp starts zitadel's web application with a key. Its assertions have no jti,
// live for an hour, and those that redeem a code name the issuer and the token
// endpoint.
func startKeyedApp(t *testing.T, key crypto.Signer) (a *zitadelApp, private []byte) {
	t.Helper()
	file, private := newClientKey(t, key)
	w := start(t, "http", `client keyed {
		jwks `+file+`
		first_party
		redirect_uri http://127.0.0.1/callback
		grants authorization_code refresh_token device_code
		scopes openid email offline_access
	}`)
	return startZitadelAppWith(w, "keyed", "", keyedScopes, rp.WithJWTProfile(rp.SignerFromKeyAndKeyID(private, "k1"))), private
}

var keyedScopes = []string{"openid", "email", "offline_access"}

func TestZitadel_ProvesByAKey(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a, private := startKeyedApp(t, key)
	a.signIn(t, a.w.alice(t))
	assertion := a.assertion(t, a.w.issuer)
	fresh, err := a.refresh(t, a.tokens.RefreshToken, assertion)
	if err != nil {
		t.Fatal(err)
	}
	if fresh.RefreshToken == a.tokens.RefreshToken || fresh.IDTokenClaims.Subject != a.info.Subject {
		t.Error("the refresh rotated nothing, or is of somebody else")
	}
	if _, err := a.refresh(t, fresh.RefreshToken, assertion); err == nil {
		t.Error("an assertion was taken twice")
	}
	checkIntrospectionByKey(t, a.w, private, fresh.AccessToken)
	checkDeviceByKey(t, a)
	for what, audience := range map[string][]string{
		"the token endpoint alone": {a.w.issuer + "/token"},
		"another server too":       {a.w.issuer, "https://elsewhere.test"},
	} {
		a.w.post(t, "revoke", url.Values{
			"token": {fresh.RefreshToken}, "client_assertion": {a.assertion(t, audience...)}, "client_assertion_type": {oidc.ClientAssertionTypeJWTAssertion},
		}).want(t, "an assertion for "+what, http.StatusUnauthorized, "invalid_client")
	}
}

// RSA signatures of the same content are the same, and so are two assertions
// without a jti that are made in the same second for the same audience. The code
// is redeemed with another audience than the rest.
func TestZitadel_ProvesByAnRSAKey(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := startKeyedApp(t, key)
	a.signIn(t, a.w.alice(t))
	if _, err := a.refresh(t, a.tokens.RefreshToken, a.assertion(t, a.w.issuer)); err != nil {
		t.Error(err)
	}
}

func (a *zitadelApp) refresh(t *testing.T, token, assertion string) (*oidc.Tokens[*oidc.IDTokenClaims], error) {
	t.Helper()
	return rp.RefreshTokens[*oidc.IDTokenClaims](t.Context(), a, token, assertion, oidc.ClientAssertionTypeJWTAssertion)
}

// assertion makes one as the library does.
func (a *zitadelApp) assertion(t *testing.T, audience ...string) string {
	t.Helper()
	made, err := client.SignedJWTProfileAssertion("keyed", audience, time.Hour, a.Signer())
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func checkIntrospectionByKey(t *testing.T, w *world, private []byte, access string) {
	t.Helper()
	server, err := rs.NewResourceServerJWTProfile(t.Context(), w.issuer, "keyed", "k1", private, rs.WithClient(w.programs()))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := rs.Introspect[*oidc.IntrospectionResponse](t.Context(), server, access)
	if err != nil || !answer.Active {
		t.Errorf("introspection says %+v, %v", answer, err)
	}
}

// The library sends one assertion with all polls of a device code, and it is good
// once: the device is approved before the first.
func checkDeviceByKey(t *testing.T, a *zitadelApp) {
	t.Helper()
	device, err := rp.DeviceAuthorization(t.Context(), keyedScopes, a, nil)
	if err != nil {
		t.Fatal(err)
	}
	a.w.alice(t).approve(device.VerificationURIComplete)
	tokens, err := rp.DeviceAccessToken(t.Context(), device.DeviceCode, time.Duration(device.Interval)*time.Second, a)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rp.VerifyTokens[*oidc.IDTokenClaims](t.Context(), tokens.AccessToken, tokens.IDToken, a.IDTokenVerifier()); err != nil {
		t.Error(err)
	}
}
