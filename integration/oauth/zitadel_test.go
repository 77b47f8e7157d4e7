package oauth_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zitadel/oidc/v3/pkg/client/rp"
	"github.com/zitadel/oidc/v3/pkg/client/rs"
	httphelper "github.com/zitadel/oidc/v3/pkg/http"
	"github.com/zitadel/oidc/v3/pkg/oidc"
)

const apiClient = `client api {
		secret "a secret of the resource server"
		grants client_credentials
		scopes jobs
		audience urn:api
		resource_server urn:api
	}`

// zitadelApp is a web application as the example of zitadel/oidc has it.
type zitadelApp struct {
	rp.RelyingParty
	w      *world
	server *httptest.Server
	tokens *oidc.Tokens[*oidc.IDTokenClaims]
	info   *oidc.UserInfo
	fault  string
}

func startZitadelApp(w *world, id, secret string, scopes ...string) *zitadelApp {
	w.t.Helper()
	return startZitadelAppWith(w, id, secret, scopes)
}

func startZitadelAppWith(w *world, id, secret string, scopes []string, more ...rp.Option) *zitadelApp {
	w.t.Helper()
	mux := http.NewServeMux()
	a := &zitadelApp{w: w, server: httptest.NewServer(mux)}
	w.t.Cleanup(a.server.Close)
	cookies := httphelper.NewCookieHandler([]byte(strings.Repeat("h", 32)), []byte(strings.Repeat("e", 32)), httphelper.WithUnsecure())
	var err error
	a.RelyingParty, err = rp.NewRelyingPartyOIDC(w.t.Context(), w.issuer, id, secret, a.server.URL+"/callback", scopes,
		append([]rp.Option{
			rp.WithHTTPClient(w.programs()), rp.WithPKCE(cookies), rp.WithLogger(slog.New(slog.DiscardHandler)),
			rp.WithSigningAlgsFromDiscovery(), rp.WithVerifierOpts(rp.WithIssuedAtOffset(5 * time.Second)),
			rp.WithErrorHandler(func(w http.ResponseWriter, _ *http.Request, code, description, _ string) {
				a.fault = code
				http.Error(w, code+": "+description, http.StatusForbidden)
			}),
		}, more...)...)
	if err != nil {
		w.t.Fatal(err)
	}
	state := func() string { return "a state of this application" }
	mux.HandleFunc("/", rp.AuthURLHandler(state, a.RelyingParty))
	mux.HandleFunc("/callback", rp.CodeExchangeHandler(rp.UserinfoCallback(a.remember), a.RelyingParty))
	return a
}

func (a *zitadelApp) remember(_ http.ResponseWriter, _ *http.Request, tokens *oidc.Tokens[*oidc.IDTokenClaims], _ string, _ rp.RelyingParty, info *oidc.UserInfo) {
	a.tokens, a.info = tokens, info
}

func (a *zitadelApp) signIn(t *testing.T, p *person) {
	t.Helper()
	page := p.visit(a.server.URL + "/")
	if page.Status != http.StatusOK || a.tokens == nil {
		t.Fatalf("the application answers %d:\n%s%s", page.Status, page.Path(), page.Text())
	}
}

func TestZitadel_SignsInRefreshesIntrospectsAndRevokes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ id, secret string }{
		"with a secret": {"web", webSecret}, "public": {"spa", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, "http", webClient, publicClient)
			a := startZitadelApp(w, c.id, c.secret, "openid", "profile", "email", "groups", "offline_access")
			a.signIn(t, w.alice(t))
			if a.info.PreferredUsername != "alice" || a.info.Email != "alice@example.com" || !bool(a.info.EmailVerified) {
				t.Errorf("userinfo says %+v", a.info)
			}
			fresh, err := rp.RefreshTokens[*oidc.IDTokenClaims](t.Context(), a, a.tokens.RefreshToken, "", "")
			if err != nil {
				t.Fatal(err)
			}
			if fresh.RefreshToken == a.tokens.RefreshToken || fresh.IDTokenClaims.Subject != a.info.Subject {
				t.Error("the refresh rotated nothing, or is of somebody else")
			}
			if err := rp.RevokeToken(t.Context(), a, fresh.RefreshToken, "refresh_token"); err != nil {
				t.Fatal(err)
			}
			if _, err := rp.RefreshTokens[*oidc.IDTokenClaims](t.Context(), a, fresh.RefreshToken, "", ""); err == nil {
				t.Error("a revoked refresh token was taken")
			}
			if _, err := rp.Userinfo[*oidc.UserInfo](t.Context(), fresh.AccessToken, fresh.TokenType, a.info.Subject, a); err == nil {
				t.Error("an access token of a revoked family was taken")
			}
		})
	}
}

// publicClient keeps no secret, and its people are asked for consent.
const publicClient = `client spa {
		public
		redirect_uri http://127.0.0.1/callback
		scopes openid profile email groups offline_access
	}`

func TestZitadel_ResourceServerSeesWhatIsItsOwn(t *testing.T) {
	t.Parallel()
	w := start(t, "http", strings.Replace(webClient, "}", "audience urn:api\n}", 1), apiClient, strings.NewReplacer(
		"client api", "client stranger", "urn:api", "urn:elsewhere").Replace(apiClient))
	a := startZitadelApp(w, "web", webSecret, "openid", "email", "offline_access")
	a.signIn(t, w.alice(t))
	introspect := func(id string) *oidc.IntrospectionResponse {
		t.Helper()
		server, err := rs.NewResourceServerClientCredentials(t.Context(), w.issuer, id, "a secret of the resource server", rs.WithClient(w.programs()))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := rs.Introspect[*oidc.IntrospectionResponse](t.Context(), server, a.tokens.AccessToken)
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	mine := introspect("api")
	if !mine.Active || mine.Subject != a.info.Subject || mine.ClientID != "web" || mine.Username != "alice" ||
		mine.Issuer != w.issuer || !slices.Equal(mine.Audience, []string{"urn:api", w.issuer}) || len(mine.Scope) != 3 {
		t.Errorf("introspection says %+v", mine)
	}
	if foreign := introspect("stranger"); foreign.Active || foreign.Subject != "" {
		t.Errorf("a stranger's introspection says %+v", foreign)
	}
	if err := rp.RevokeToken(t.Context(), a, a.tokens.AccessToken, "access_token"); err != nil {
		t.Fatal(err)
	}
	if introspect("api").Active {
		t.Error("a revoked token is active")
	}
}

func TestZitadel_DeviceFlow(t *testing.T) {
	t.Parallel()
	w := start(t, "http", `client cli {
		public
		grants device_code refresh_token
		scopes openid offline_access
	}`)
	a := startZitadelApp(w, "cli", "", "openid", "offline_access")
	device, err := rp.DeviceAuthorization(t.Context(), []string{"openid", "offline_access"}, a, nil)
	if err != nil {
		t.Fatal(err)
	}
	alice := w.alice(t)
	page := alice.visit(device.VerificationURI)
	page = alice.Submit(page, alice.Find(page, "user_code"), map[string]string{"user_code": strings.ToLower(device.UserCode)})
	alice.Submit(page, alice.Find(page, "request"), map[string]string{"decision": "approve"})
	tokens, err := rp.DeviceAccessToken(t.Context(), device.DeviceCode, time.Duration(device.Interval)*time.Second, a)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rp.VerifyTokens[*oidc.IDTokenClaims](t.Context(), tokens.AccessToken, tokens.IDToken, a.IDTokenVerifier()); err != nil {
		t.Error(err)
	}
}

func TestZitadel_ClientCredentials(t *testing.T) {
	t.Parallel()
	w := start(t, "http", apiClient)
	a := startZitadelApp(w, "api", "a secret of the resource server", "jobs")
	token, err := rp.ClientCredentials(t.Context(), a, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token.RefreshToken != "" || token.Extra("scope") != "jobs" {
		t.Errorf("the answer says %+v", token)
	}
}

func TestZitadel_ARefusalReachesTheApplication(t *testing.T) {
	t.Parallel()
	w := start(t, "http", strings.Replace(webClient, "first_party", "first_party\npolicy staff", 1))
	a := startZitadelApp(w, "web", webSecret, "openid")
	w.person(t, "bob").visit(a.server.URL + "/")
	if a.fault != "access_denied" || a.tokens != nil {
		t.Errorf("the application was told %q", a.fault)
	}
	a.signIn(t, w.alice(t))
}
