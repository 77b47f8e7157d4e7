package flows_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-auth/gatehouse/flows/guard"
)

// keyFile is a JWKS file of the operator's.
type keyFile struct {
	t    *testing.T
	name string
}

func newKey(t *testing.T, kid string) jose.JSONWebKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return jose.JSONWebKey{Key: key, KeyID: kid, Algorithm: "ES256", Use: "sig"}
}

func (f keyFile) write(keys ...jose.JSONWebKey) {
	f.t.Helper()
	raw, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	if err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(f.name, raw, 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// forged is a token with other claims, as whoever has stolen the key signs it.
func forged(t *testing.T, genuine string, key jose.JSONWebKey, change func(jwt.MapClaims)) string {
	t.Helper()
	claims := jwt.MapClaims{}
	parsed, _, err := jwt.NewParser().ParseUnverified(genuine, claims)
	if err != nil {
		t.Fatal(err)
	}
	change(claims)
	fake := jwt.NewWithClaims(jwt.SigningMethodES256, claims)
	fake.Header = maps.Clone(parsed.Header)
	fake.Header["kid"] = key.KeyID
	raw, err := fake.SignedString(key.Key)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func inTenYears(claims jwt.MapClaims) {
	claims["exp"] = time.Now().Add(10 * 365 * 24 * time.Hour).Unix()
}

// What a key signed is refused from the moment on that the key is gone, though it
// was seen before, whatever exp it has: RFC 7517, section 5, and RFC 9068, section
// 4, have a token verified by a key of the issuer's.
func TestSigningKeys_OneThatIsGoneTakesItsTokensWithIt(t *testing.T) {
	for name, kid := range map[string]string{"another kid": "two", "another key of the same kid": "one"} {
		t.Run(name, func(t *testing.T) {
			file := keyFile{t, filepath.Join(t.TempDir(), "keys.json")}
			one, two := newKey(t, "one"), newKey(t, kid)
			file.write(one)
			w := newWorld(t, worldOptions{portal: true, clients: oauthClients(), signingKeys: file.name})
			web := app{t, w, "web", "web-secret-of-enough-length"}
			site := w.siteURL("app")
			params := authorizeParams("web", "https://web.test/cb", "openid offline_access")
			params["resource"] = []string{site, w.gateway.Issuer}
			granted := web.post("token", redeem(w.code(w.signedInBrowser(), params)))
			ofPerson, refreshToken := granted.text("access_token"), granted.text("refresh_token")
			ofProgram := web.post("token", url.Values{"grant_type": {"client_credentials"}, "resource": {site}}).text("access_token")
			tokens := map[string]string{
				"of a person": ofPerson, "of a program": ofProgram,
				"of a person, forged": forged(t, ofPerson, one, inTenYears), "of a program, forged": forged(t, ofProgram, one, inTenYears),
			}
			userinfo := func(raw string) int {
				return w.send(http.MethodGet, w.portalURL()+"/userinfo", "", "Authorization: Bearer "+raw).status
			}
			for name, raw := range tokens {
				if got := web.post("introspect", url.Values{"token": {raw}}); got.body["active"] != true {
					t.Fatalf("%s: %v", name, got.body)
				}
				if got := w.bearer("app", raw); got.status != http.StatusOK {
					t.Fatalf("%s: the site answers %d", name, got.status)
				}
				if strings.Contains(name, "person") && userinfo(raw) != http.StatusOK {
					t.Fatalf("%s: userinfo answers %d", name, userinfo(raw))
				}
			}
			req := httptest.NewRequest(http.MethodGet, site+"/", nil)
			req.Header.Set("Authorization", "Bearer "+tokens["of a program, forged"])
			id, err := w.gateway.Guard().Authenticate(req, req.Host, false, guard.How{})
			if err != nil {
				t.Fatal(err)
			}

			file.write(two)
			if err := w.keys.Refresh(t.Context()); err != nil { // as a reload does
				t.Fatal(err)
			}
			for name, raw := range tokens {
				if got := web.post("introspect", url.Values{"token": {raw}}); got.body["active"] != false {
					t.Errorf("%s: introspection says %v", name, got.body)
				}
				if got := w.bearer("app", raw); got.status != http.StatusUnauthorized {
					t.Errorf("%s: the site answers %d", name, got.status)
				}
				if got := userinfo(raw); got != http.StatusUnauthorized {
					t.Errorf("%s: userinfo answers %d", name, got)
				}
			}
			stop, ended := called()
			w.gateway.WatchToken(id, stop)()
			wantCalled(t, "opened by a token whose key is gone", ended)
			jwks := w.send(http.MethodGet, w.portalURL()+"/jwks.json", "")
			public, err := json.Marshal(two.Public())
			if err != nil {
				t.Fatal(err)
			}
			if want := `{"keys":[` + string(public) + `]}`; strings.TrimSpace(jwks.text) != want {
				t.Errorf("the published keys are %s, want %s", jwks.text, want)
			}
			// Nobody is signed out for it: the refresh token is good, and what it gives is
			// signed by the other key.
			renewed := web.post("token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refreshToken}, "resource": {site}}).text("access_token")
			if got := w.bearer("app", renewed); got.status != http.StatusOK {
				t.Errorf("after a refresh the site answers %d", got.status)
			}
		})
	}
}

// A stream that such a token opened ends as well, without a reload: keys of the
// store are rotated by any node.
func TestSigningKeys_OneThatIsGoneEndsStreams(t *testing.T) {
	file := keyFile{t, filepath.Join(t.TempDir(), "keys.json")}
	file.write(newKey(t, "one"))
	w := newWorld(t, worldOptions{portal: true, clients: oauthClients(), signingKeys: file.name})
	web := app{t, w, "web", "web-secret-of-enough-length"}
	raw := web.post("token", url.Values{"grant_type": {"client_credentials"}, "resource": {w.siteURL("app")}}).text("access_token")
	req := httptest.NewRequest(http.MethodGet, w.siteURL("app")+"/", nil)
	req.Header.Set("Authorization", "Bearer "+raw)
	id, err := w.gateway.Guard().Authenticate(req, req.Host, false, guard.How{})
	if err != nil {
		t.Fatal(err)
	}
	stop, ended := called()
	defer w.gateway.WatchToken(id, stop)()
	file.write(newKey(t, "two"))
	if err := w.keys.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	running := make(chan struct{})
	go func() { defer close(running); w.gateway.Run(ctx) }()
	wantCalled(t, "opened by a token whose key is gone", ended)
	cancel()
	<-running
}
