package client_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/clientjwt"
)

// FuzzAssertion: nobody makes an assertion without the key, nor does one that the
// key signed for somebody else become good by editing.
func FuzzAssertion(f *testing.F) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	keyed := &client.Client{ID: "keyed", Keys: map[string]clientjwt.Key{"k1": {Public: key.Public()}}}
	a := client.Authenticator{
		Find: func(string) *client.Client { return keyed }, Issuer: "https://as.test", TokenEndpoint: "https://as.test/token", Now: time.Now,
		Once: func(context.Context, string, time.Duration) (bool, error) { return true, nil },
	}
	for _, claims := range []jwt.MapClaims{
		{"iss": "keyed", "sub": "keyed", "aud": "https://evil.test", "exp": time.Now().Add(time.Hour).Unix()},
		{"iss": "keyed", "sub": "keyed", "aud": []string{"https://as.test"}, "exp": 1e300, "jti": 1},
		{"iss": "keyed", "sub": nil},
	} {
		signed, err := jwt.NewWithClaims(jwt.SigningMethodES256, claims).SignedString(key)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(signed)
	}
	f.Add("eyJhbGciOiJub25lIn0.eyJpc3MiOiJrZXllZCIsInN1YiI6ImtleWVkIn0.")
	f.Add("e30.e30.AA")
	f.Add("..")
	f.Fuzz(func(t *testing.T, assertion string) {
		form := url.Values{
			"client_assertion": {assertion}, "client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		}
		r := httptest.NewRequest(http.MethodPost, "https://as.test/token", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if err := r.ParseForm(); err != nil {
			t.Fatal(err)
		}
		if c, err := a.Authenticate(r); c != nil || !errors.Is(err, client.ErrClient) {
			t.Errorf("%q: %v, %v", assertion, c, err)
		}
	})
}
