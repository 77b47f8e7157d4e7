package oauth_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

const (
	webSecret = "a secret of the web application: +%&é"
	webClient = `client web {
		secret "` + webSecret + `"
		first_party
		redirect_uri http://127.0.0.1/callback
		post_logout_redirect_uri http://127.0.0.1:1/goodbye
		grants authorization_code refresh_token client_credentials
		scopes openid profile email groups offline_access
	}`
)

// goApp is a web application as the examples of go-oidc and x/oauth2 have it.
type goApp struct {
	w        *world
	server   *httptest.Server
	provider *oidc.Provider
	config   oauth2.Config
	verifier *oidc.IDTokenVerifier

	mu       sync.Mutex
	attempts map[string]attempt // by state
	token    *oauth2.Token
	id       *oidc.IDToken
	fault    error
}

type attempt struct{ nonce, verifier string }

var (
	errState = errors.New("the state is not one of ours")
	errNonce = errors.New("the nonce is not ours")
)

func startGoApp(w *world, id, secret string, scopes ...string) *goApp {
	w.t.Helper()
	a := &goApp{w: w, attempts: map[string]attempt{}}
	var err error
	if a.provider, err = oidc.NewProvider(w.context(), w.issuer); err != nil {
		w.t.Fatal(err)
	}
	a.server = httptest.NewServer(http.HandlerFunc(a.serve))
	w.t.Cleanup(a.server.Close)
	a.config = oauth2.Config{
		ClientID: id, ClientSecret: secret, Endpoint: a.provider.Endpoint(),
		RedirectURL: a.server.URL + "/callback", Scopes: scopes,
	}
	a.verifier = a.provider.Verifier(&oidc.Config{ClientID: id})
	return a
}

func (a *goApp) serve(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/callback" {
		state, try := oauth2.GenerateVerifier(), attempt{nonce: oauth2.GenerateVerifier(), verifier: oauth2.GenerateVerifier()}
		a.mu.Lock()
		a.attempts[state] = try
		a.mu.Unlock()
		to := a.config.AuthCodeURL(state, oidc.Nonce(try.nonce), oauth2.S256ChallengeOption(try.verifier))
		http.Redirect(w, r, to, http.StatusFound)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.fault = a.redeem(r.URL.Query()); a.fault != nil {
		http.Error(w, a.fault.Error(), http.StatusForbidden)
	}
}

func (a *goApp) redeem(query url.Values) error {
	try, ok := a.attempts[query.Get("state")]
	if !ok {
		return errState
	}
	ctx := a.w.context()
	token, err := a.config.Exchange(ctx, query.Get("code"), oauth2.VerifierOption(try.verifier))
	if err != nil {
		return err
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := a.verifier.Verify(ctx, raw)
	if err != nil {
		return err
	}
	if id.Nonce != try.nonce {
		return errNonce
	}
	a.token, a.id = token, id
	return id.VerifyAccessToken(token.AccessToken)
}

// signIn lets somebody sign in to the application.
func (a *goApp) signIn(p *person) {
	p.t.Helper()
	page := p.visit(a.server.URL + "/")
	if page.Status != http.StatusOK || a.token == nil {
		p.t.Fatalf("the application answers %d:\n%s%s", page.Status, page.Path(), page.Text())
	}
}

func TestGoOIDC_SignsInRefreshesAndReadsUserinfo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ scheme, alg string }{{"http", "ES256"}, {"https", "EdDSA"}, {"http", "RS256"}} {
		t.Run(c.scheme+" "+c.alg, func(t *testing.T) {
			t.Parallel()
			w := start(t, c.scheme, strings.Replace(webClient, "first_party", "first_party\nid_token_signing_alg "+c.alg, 1))
			a := startGoApp(w, "web", webSecret, "openid", "profile", "email", "groups", "offline_access")
			a.signIn(w.alice(t))
			checkIDToken(t, a.id)
			checkUserinfo(t, a)

			old := a.token
			fresh, err := a.config.TokenSource(w.context(), &oauth2.Token{RefreshToken: old.RefreshToken}).Token()
			if err != nil {
				t.Fatal(err)
			}
			if fresh.RefreshToken == old.RefreshToken || fresh.AccessToken == old.AccessToken || fresh.RefreshToken == "" {
				t.Error("the refresh rotated nothing")
			}
			raw, _ := fresh.Extra("id_token").(string)
			again, err := a.verifier.Verify(w.context(), raw)
			if err != nil {
				t.Fatalf("the ID token of the refresh: %v", err)
			}
			if again.Subject != a.id.Subject || again.VerifyAccessToken(fresh.AccessToken) != nil {
				t.Error("the ID token of the refresh is of somebody else or another access token")
			}
			a.token = fresh
			checkUserinfo(t, a)
		})
	}
}

func checkIDToken(t *testing.T, id *oidc.IDToken) {
	t.Helper()
	var claims struct {
		User     string   `json:"preferred_username"`
		Email    string   `json:"email"`
		Groups   []string `json:"groups"`
		AuthTime int64    `json:"auth_time"`
		Session  string   `json:"sid"`
	}
	if err := id.Claims(&claims); err != nil {
		t.Fatal(err)
	}
	if claims.User != "alice" || claims.Email != "alice@example.com" || len(claims.Groups) != 1 || claims.AuthTime == 0 || claims.Session == "" {
		t.Errorf("the ID token says %+v", claims)
	}
	if id.AccessTokenHash == "" {
		t.Error("the ID token has no at_hash")
	}
}

func checkUserinfo(t *testing.T, a *goApp) {
	t.Helper()
	info, err := a.provider.UserInfo(a.w.context(), oauth2.StaticTokenSource(a.token))
	if err != nil {
		t.Fatal(err)
	}
	if info.Subject != a.id.Subject || info.Email != "alice@example.com" {
		t.Errorf("userinfo says %+v", info)
	}
}

func TestGoOIDC_DeviceFlow(t *testing.T) {
	t.Parallel()
	w := start(t, "http", `client cli {
		public
		grants device_code refresh_token
		scopes openid profile offline_access
	}`)
	provider, err := oidc.NewProvider(w.context(), w.issuer)
	if err != nil {
		t.Fatal(err)
	}
	verifier := oauth2.GenerateVerifier()
	config := oauth2.Config{ClientID: "cli", Endpoint: provider.Endpoint(), Scopes: []string{"openid", "offline_access"}}
	device, err := config.DeviceAuth(w.context(), oauth2.S256ChallengeOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	w.alice(t).approve(device.VerificationURIComplete)
	token, err := config.DeviceAccessToken(w.context(), device, oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := token.Extra("id_token").(string)
	if _, err := provider.Verifier(&oidc.Config{ClientID: "cli"}).Verify(w.context(), raw); err != nil {
		t.Error(err)
	}
	if _, err := config.TokenSource(w.context(), &oauth2.Token{RefreshToken: token.RefreshToken}).Token(); err != nil {
		t.Errorf("refreshing: %v", err)
	}
}
