package oidc

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

func TestSignIn(t *testing.T) {
	t.Parallel()
	o := newOP(t)
	got, err := signIn(t.Context(), o.client(nil))
	if err != nil {
		t.Fatal(err)
	}
	want := identity.Claims{
		Provider: "sso", Issuer: o.URL, ID: "u1", User: "alice@example.com", Email: "Alice@Example.com", EmailVerified: true,
		Name: "Alice", Groups: []string{"staff"},
	}
	if diff := cmp.Diff(want, got.Claims); diff != "" {
		t.Error(diff)
	}
	token := &provider.Token{AccessToken: "at", RefreshToken: "rt", TokenType: "Bearer", Scope: "openid email", ExpiresAt: noon.Add(5 * time.Minute)}
	if diff := cmp.Diff(token, got.Token); diff != "" {
		t.Error(diff)
	}
	if o.form.Get("code_verifier") != callback().Verifier || o.form.Get("redirect_uri") != "https://app/cb" {
		t.Errorf("the token request was %v", o.form)
	}
	if n := o.userinfoFetches(); n != 0 {
		t.Errorf("userinfo was asked %d times without need", n)
	}
}

func (o *op) userinfoFetches() int64 { return o.fetches["/userinfo"].Load() }

func TestAuthURL(t *testing.T) {
	t.Parallel()
	o := newOP(t)
	p := o.client(func(c *Config) { c.AuthParams = map[string]string{"audience": "x"}; c.HostedDomain = "example.com" })
	raw, err := p.AuthURL(t.Context(), provider.AuthRequest{
		State: "state", Nonce: "nonce", Verifier: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", RedirectURI: "https://app/cb",
		Prompt: "login", LoginHint: "a&b", MaxAge: time.Minute, Scopes: []string{"email", "more"},
	})
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	want := url.Values{
		"tenant": {"1"}, "response_type": {"code"}, "client_id": {"client"}, "state": {"state"}, "nonce": {"nonce"},
		"redirect_uri": {"https://app/cb"}, "scope": {"openid profile email more"}, "prompt": {"login"}, "login_hint": {"a&b"},
		"max_age": {"60"}, "audience": {"x"}, "hd": {"example.com"}, "code_challenge_method": {"S256"},
		"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, // RFC 7636, appendix B
	}
	if diff := cmp.Diff(want, u.Query()); diff != "" {
		t.Error(diff)
	}
	if _, err := p.AuthURL(t.Context(), provider.AuthRequest{State: "s", Verifier: "v", RedirectURI: "r"}); err == nil {
		t.Error("a request without a nonce is accepted")
	}
}

func TestResponseIssuer(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name       string
		advertised bool
		iss        string // "=" is the right one
		ok         bool
	}{
		{"absent, not advertised", false, "", true},
		{"right, not advertised", false, "=", true},
		{"wrong, not advertised", false, "https://evil.example", false},
		{"absent, advertised", true, "", false},
		{"right, advertised", true, "=", true},
		{"wrong, advertised", true, "https://evil.example", false},
		{"with a slash", true, "=/", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := newOP(t)
			o.metadata = func(m obj) { m["authorization_response_iss_parameter_supported"] = tt.advertised }
			c := callback()
			c.Issuer = strings.Replace(tt.iss, "=", o.URL, 1)
			_, err := o.client(nil).Exchange(t.Context(), c)
			if tt.ok != (err == nil) || err != nil && !errors.Is(err, provider.ErrResponse) {
				t.Errorf("Exchange() = %v", err)
			}
			if !tt.ok && o.fetches["/token"].Load() != 0 {
				t.Error("the code was sent all the same")
			}
		})
	}
}

func TestClientAuthentication(t *testing.T) {
	t.Parallel()
	const id, secret = "cli:ent +", "s%c r&t:é"
	for _, tt := range []struct {
		name    string
		methods []string
		secret  string
		option  string
		basic   bool
		post    bool
	}{
		{"not advertised", nil, secret, "", true, false},
		{"both", []string{authPost, authBasic}, secret, "", true, false},
		{"post alone", []string{authPost}, secret, "", false, true},
		{"configured", []string{authPost, authBasic}, secret, authPost, false, true},
		{"public", []string{authBasic}, "", "", false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := newOP(t)
			o.metadata = func(m obj) { m["token_endpoint_auth_methods_supported"] = tt.methods }
			o.claims = func(c obj) { c["aud"] = id }
			p := o.client(func(c *Config) { c.ClientID, c.ClientSecret, c.ClientAuth = id, tt.secret, tt.option })
			check := func(what string) {
				t.Helper()
				var basic [2]string
				if tt.basic {
					basic = [2]string{url.QueryEscape(id), url.QueryEscape(secret)}
				}
				if o.basic != basic {
					t.Errorf("%s: Basic credentials are %q, want %q", what, o.basic, basic)
				}
				if got := o.form.Get("client_secret"); (got == secret) != tt.post || !tt.post && got != "" {
					t.Errorf("%s: client_secret in the form is %q", what, got)
				}
				if got := o.form.Get("client_id"); (got == id) == tt.basic {
					t.Errorf("%s: client_id in the form is %q", what, got)
				}
			}
			if _, err := signIn(t.Context(), p); err != nil {
				t.Fatal(err)
			}
			check("code")
			if _, err := p.Refresh(t.Context(), "rt", nil); err != nil {
				t.Fatal(err)
			}
			check("refresh")
			if err := p.Revoke(t.Context(), "rt", "refresh_token"); err != nil {
				t.Fatal(err)
			}
			check("revocation")
		})
	}
}

func TestTokenEndpoint(t *testing.T) {
	t.Parallel()
	answer := func(status int, kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	const js = "application/json"
	for _, tt := range []struct {
		name    string
		handler http.HandlerFunc
		want    error
	}{
		{"invalid_grant", answer(400, js, `{"error":"invalid_grant","error_description":"SECRET"}`), provider.ErrGrant},
		{"invalid_grant with 200", answer(200, js, `{"error":"invalid_grant"}`), provider.ErrGrant},
		{"invalid_client", answer(401, js, `{"error":"invalid_client"}`), provider.ErrUnavailable},
		{"500", answer(500, "text/html", "<h1>SECRET</h1>"), provider.ErrUnavailable},
		{"no JSON", answer(200, js, "SECRET"), provider.ErrUnavailable},
		{"an array", answer(200, js, "[]"), provider.ErrUnavailable},
		{"no access token", answer(200, js, "{}"), provider.ErrUnavailable},
		{"no ID token", answer(200, js, `{"access_token":"SECRET","token_type":"Bearer"}`), provider.ErrResponse},
		{"ID token is a number", answer(200, js, `{"access_token":"SECRET","id_token":7}`), provider.ErrResponse},
		{"access token with a line break", answer(200, js, `{"access_token":"SECRET\r\nX: y","id_token":"x"}`), provider.ErrResponse},
		{"bound by a MAC", answer(200, js, `{"access_token":"SECRET","token_type":"mac","id_token":"x"}`), provider.ErrResponse},
		{"bound by DPoP", answer(200, js, `{"access_token":"SECRET","token_type":"DPoP","id_token":"x"}`), provider.ErrResponse},
		{"no token type that we know", answer(200, js, `{"access_token":"SECRET","token_type":"N_A","id_token":"x"}`), provider.ErrResponse},
		{"10 MiB", answer(200, js, `{"access_token":"`+strings.Repeat("x", 10<<20)+`"}`), provider.ErrUnavailable},
		{"hangs up", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, provider.ErrUnavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := newOP(t)
			o.on("/token", tt.handler)
			got, err := signIn(t.Context(), o.client(nil))
			if !errors.Is(err, tt.want) {
				t.Errorf("Exchange() = %v, want %v", err, tt.want)
			}
			if err != nil && (strings.Contains(err.Error(), "SECRET") || len(err.Error()) > 1000) {
				t.Errorf("the error repeats the answer: %.300v", err)
			}
			if got.Token != nil || got.Claims.ID != "" {
				t.Error("a refused sign-in has a result")
			}
			if n := o.fetches["/token"].Load(); n != 1 {
				t.Errorf("the code was sent %d times", n)
			}
		})
	}
}

func TestTokenEndpointRedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	for _, status := range []int{302, 307, 308} {
		o := newOP(t)
		o.on("/token", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/internal", status) })
		o.on("/internal", func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") })
		if _, err := signIn(t.Context(), o.client(nil)); !errors.Is(err, provider.ErrUnavailable) {
			t.Errorf("%d: Exchange() = %v, want ErrUnavailable", status, err)
		}
	}
}

func TestConcurrentSignInsAreNotSwapped(t *testing.T) {
	t.Parallel()
	o := newOP(t)
	o.claims = func(c obj) { c["sub"], c["nonce"], c["email"] = o.form.Get("code"), "n-"+o.form.Get("code"), nil }
	p := o.client(func(c *Config) { c.Scopes = []string{"openid"} })
	var wg sync.WaitGroup
	for _, who := range []string{"ann", "ben", "cat", "dan"} {
		wg.Go(func() {
			for range 25 {
				c := callback()
				c.Code, c.Nonce = who, "n-"+who
				got, err := p.Exchange(t.Context(), c)
				if err != nil || got.Claims.ID != who || got.Claims.User != "sso:"+who {
					t.Errorf("%s signed in as %+v, %v", who, got.Claims, err)
				}
			}
		})
	}
	wg.Wait()
}
