package caddymodule

import (
	"net/http"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/session"
)

// The application is told the provider's ID token while it is valid, and what a client
// sends under its name never, signed in or not.
func TestHeaders_IDToken(t *testing.T) {
	r := serve(t, aliceLocal+ssoWithClaims, "http://app.example.com {\n\tgatehouse /in/* {\n\t\theaders {\n\t\t\tid_token X-Id-Token\n\t\t}\n\t}\n\trespond \"token {header.X-Id-Token}{header.X_Id_Token}\"\n}")
	made := func(left time.Duration) string {
		t.Helper()
		raw, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": "1", "exp": time.Now().Add(left).Unix()}).SignedString([]byte("a key of the provider"))
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	signedIn := func(idToken string) *http.Cookie {
		t.Helper()
		claims := identity.Claims{}
		ofSSO(func(*identity.Claims) {})(&claims)
		started, err := r.app.shared.sessions.SignIn(t.Context(), session.Start{ClientID: "app.example.com", Claims: claims, IDToken: idToken})
		if err != nil {
			t.Fatal(err)
		}
		return &http.Cookie{Name: "gatehouse", Value: started.Handle}
	}
	good := made(time.Hour)
	for name, tt := range map[string]struct {
		path   string
		cookie *http.Cookie
		want   string
	}{
		"valid":         {"/in/x", signedIn(good), "token " + good},
		"expired":       {"/in/x", signedIn(made(-time.Hour)), "token "},
		"about to":      {"/in/x", signedIn(made(5 * time.Second)), "token "},
		"none":          {"/in/x", signedIn(""), "token "},
		"no token":      {"/in/x", signedIn("x.y.z"), "token "},
		"by a password": {"/in/x", r.signIn("app.example.com", nil), "token "},
		"open":          {"/open", signedIn(good), "token "},
	} {
		req := get("http://app.example.com"+tt.path, tt.cookie)
		req.Header["X-Id-Token"], req.Header["X_Id_Token"] = []string{"mallory"}, []string{"mallory"}
		if got := r.do(req); got.Code != http.StatusOK || got.Body.String() != tt.want {
			t.Errorf("%s: %d %s", name, got.Code, got.Body)
		}
	}
}
