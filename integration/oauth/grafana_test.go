package oauth_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/oauth2"
)

// genericOAuth is an application that knows no discovery, no keys and no issuer,
// only what Grafana's [auth.generic_oauth] can be told; the fields have its
// names. It behaves as Grafana's connector does: a verifier of 128 letters, a
// state with padding, an ID token that is read but not checked, and what that
// does not say asked for at api_url.
type genericOAuth struct {
	clientID, clientSecret    string
	authURL, tokenURL, apiURL string
	scopes                    string
	usePKCE, useRefreshToken  bool
	authStyle                 oauth2.AuthStyle // Grafana's default: AutoDetect
	roleAttributePath         func(claims map[string]any) string
	signoutRedirectURL        string

	w      *world
	server *httptest.Server
	user   grafanaUser
	token  *oauth2.Token
}

type grafanaUser struct{ id, login, email, role string }

// run serves the application and returns the address that people open.
func (g *genericOAuth) run() string {
	g.server = httptest.NewUnstartedServer(http.HandlerFunc(g.serve))
	g.server.Start()
	g.w.t.Cleanup(g.server.Close)
	return g.server.URL + "/login/generic_oauth"
}

func (g *genericOAuth) config() *oauth2.Config {
	scopes := strings.Fields(g.scopes)
	if g.useRefreshToken {
		scopes = append(scopes, "offline_access")
	}
	return &oauth2.Config{
		ClientID: g.clientID, ClientSecret: g.clientSecret, Scopes: scopes, RedirectURL: g.server.URL + "/login/generic_oauth",
		Endpoint: oauth2.Endpoint{AuthURL: g.authURL, TokenURL: g.tokenURL, AuthStyle: g.authStyle},
	}
}

func (g *genericOAuth) serve(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	switch {
	case query.Has("error"):
		http.Error(w, query.Get("error_description"), http.StatusUnauthorized)
	case query.Has("code"):
		if err := g.callback(r); err != nil {
			http.Error(w, "login.OAuthLogin: "+err.Error(), http.StatusInternalServerError)
		}
	default:
		g.begin(w, r)
	}
}

func (g *genericOAuth) begin(w http.ResponseWriter, r *http.Request) {
	state := base64.URLEncoding.EncodeToString(random(32)) // it ends with =
	options := []oauth2.AuthCodeOption{oauth2.AccessTypeOnline}
	http.SetCookie(w, &http.Cookie{Name: "oauth_state", Value: state, HttpOnly: true, Path: "/"})
	if g.usePKCE {
		verifier := base64.RawURLEncoding.EncodeToString(random(96))
		http.SetCookie(w, &http.Cookie{Name: "oauth_code_verifier", Value: verifier, HttpOnly: true, Path: "/"})
		options = append(options, oauth2.S256ChallengeOption(verifier))
	}
	http.Redirect(w, r, g.config().AuthCodeURL(state, options...), http.StatusFound)
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

func (g *genericOAuth) callback(r *http.Request) error {
	query := r.URL.Query()
	if state, err := r.Cookie("oauth_state"); err != nil || state.Value != query.Get("state") {
		return errors.New("saved state and query state do not match")
	}
	var options []oauth2.AuthCodeOption
	if verifier, err := r.Cookie("oauth_code_verifier"); err == nil {
		options = append(options, oauth2.VerifierOption(verifier.Value))
	}
	token, err := g.config().Exchange(g.w.context(), query.Get("code"), options...)
	if err != nil {
		return err
	}
	g.token = token
	return g.userInfo(token)
}

// userInfo merges the ID token's payload with the API's answer.
func (g *genericOAuth) userInfo(token *oauth2.Token) error {
	claims := map[string]any{}
	if raw, ok := token.Extra("id_token").(string); ok {
		parts := strings.Split(raw, ".")
		if len(parts) != 3 {
			return errors.New("error retrieving id_token")
		}
		payload, err := base64.RawURLEncoding.DecodeString(parts[1])
		if err != nil {
			return err
		}
		if err := json.Unmarshal(payload, &claims); err != nil {
			return err
		}
	}
	answer, err := g.config().Client(g.w.context(), token).Get(g.apiURL)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		return fmt.Errorf("error getting user info: %s", answer.Status)
	}
	if err := json.Unmarshal(body, &claims); err != nil {
		return err
	}
	text := func(name string) string { s, _ := claims[name].(string); return s }
	g.user = grafanaUser{id: text("sub"), login: text("preferred_username"), email: text("email"), role: g.roleAttributePath(claims)}
	if g.user.id == "" || g.user.login == "" {
		return errors.New("user info without a name")
	}
	return nil
}

// editors is the role_attribute_path of the tests:
// contains(groups[*], 'staff') && 'Editor' || 'Viewer'.
func editors(claims map[string]any) string {
	groups, _ := claims["groups"].([]any)
	if slices.Contains(groups, any("staff")) {
		return "Editor"
	}
	return "Viewer"
}

func TestGrafana_SignsInByGenericOAuth(t *testing.T) {
	t.Parallel()
	w := start(t, "http", `client grafana {
		secret "`+webSecret+`"
		first_party
		redirect_uri http://127.0.0.1/login/generic_oauth
		post_logout_redirect_uri `+goodbye+`
		scopes openid profile email groups offline_access
	}`)
	for name, g := range map[string]genericOAuth{
		"without PKCE":             {},
		"with PKCE":                {usePKCE: true},
		"with PKCE, InHeader":      {usePKCE: true, authStyle: oauth2.AuthStyleInHeader},
		"with PKCE, InParams":      {usePKCE: true, authStyle: oauth2.AuthStyleInParams},
		"with use_refresh_token":   {usePKCE: true, useRefreshToken: true},
		"without PKCE, but params": {authStyle: oauth2.AuthStyleInParams},
	} {
		t.Run(name, func(t *testing.T) {
			g.w, g.clientID, g.clientSecret, g.scopes = w, "grafana", webSecret, "openid profile email groups"
			g.authURL, g.tokenURL, g.apiURL = w.issuer+"/authorize", w.issuer+"/token", w.issuer+"/userinfo"
			g.roleAttributePath, g.signoutRedirectURL = editors, w.issuer+"/logout?post_logout_redirect_uri="+url.QueryEscape(goodbye)
			address := g.run()
			for user, want := range map[string]grafanaUser{
				"alice": {login: "alice", email: "alice@example.com", role: "Editor"}, "bob": {login: "bob", role: "Viewer"},
			} {
				p := w.person(t, user)
				page := p.visit(address)
				if page.Status != http.StatusOK {
					t.Fatalf("Grafana answers %d:\n%s%s", page.Status, page.Path(), page.Text())
				}
				if want.id = g.user.id; g.user != want {
					t.Errorf("Grafana knows %+v, want %+v", g.user, want)
				}
				g.checkRefresh(t)
				g.signOut(t, p)
			}
		})
	}
}

func (g *genericOAuth) checkRefresh(t *testing.T) {
	t.Helper()
	if !g.useRefreshToken {
		if g.token.RefreshToken != "" {
			t.Error("a refresh token that nobody asked for")
		}
		return
	}
	fresh, err := g.config().TokenSource(g.w.context(), &oauth2.Token{RefreshToken: g.token.RefreshToken}).Token()
	if err != nil {
		t.Fatal(err)
	}
	if err := g.userInfo(fresh); err != nil {
		t.Error(err)
	}
}

// signOut is Grafana's: signout_redirect_url with the ID token added.
func (g *genericOAuth) signOut(t *testing.T, p *person) {
	t.Helper()
	hint, _ := g.token.Extra("id_token").(string)
	if to := p.signOut(g.signoutRedirectURL + "&id_token_hint=" + url.QueryEscape(hint)); to == nil || to.String() != goodbye {
		t.Errorf("signing out leads to %v", to)
	}
	if p.signedIn() {
		t.Error("still signed in after signing out")
	}
}
