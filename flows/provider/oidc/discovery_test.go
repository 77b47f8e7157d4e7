package oidc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

func authRequest() provider.AuthRequest {
	return provider.AuthRequest{State: "s", Nonce: "n", Verifier: strings.Repeat("v", 43), RedirectURI: "https://app/cb", MaxAge: -1}
}

const discoveryPath = "/.well-known/openid-configuration"

func TestDiscoveryIsLazyAndShared(t *testing.T) {
	t.Parallel()
	o := newOP(t)
	p := o.client(nil)
	if o.fetches[discoveryPath].Load() != 0 {
		t.Error("New fetches")
	}
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			if _, err := p.AuthURL(t.Context(), authRequest()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := o.fetches[discoveryPath].Load(); n != 1 {
		t.Errorf("%d fetches, want 1", n)
	}
}

func TestDiscoveryBelongsToNoCaller(t *testing.T) {
	t.Parallel()
	o := newOP(t)
	asked, answer := make(chan struct{}), make(chan struct{})
	var once sync.Once
	o.on(discoveryPath, func(w http.ResponseWriter, r *http.Request) {
		once.Do(func() { close(asked) })
		<-answer
		o.on(discoveryPath, nil)
		o.serve(w, r)
	})
	p := o.client(nil)
	first, giveUp := context.WithCancel(t.Context())
	errs := make(chan error, 2)
	go func() { _, err := p.AuthURL(first, authRequest()); errs <- err }()
	<-asked
	giveUp()
	if err := <-errs; !errors.Is(err, context.Canceled) || !errors.Is(err, provider.ErrUnavailable) {
		t.Errorf("the first caller, who gave up: %v", err)
	}
	go func() { _, err := p.AuthURL(t.Context(), authRequest()); errs <- err }()
	close(answer)
	if err := <-errs; err != nil {
		t.Errorf("the second caller: %v", err)
	}
}

func TestDiscoveryBacksOff(t *testing.T) {
	t.Parallel()
	o := newOP(t)
	o.on(discoveryPath, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) })
	p := o.client(nil)
	fetched := o.fetches[discoveryPath].Load
	now := noon
	for i, wait := range []time.Duration{0, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 32 * time.Second, time.Minute, time.Minute} {
		now = now.Add(wait)
		o.at(now)
		for range 3 {
			if _, err := p.AuthURL(t.Context(), authRequest()); !errors.Is(err, provider.ErrUnavailable) {
				t.Fatalf("AuthURL() = %v, want ErrUnavailable", err)
			}
		}
		if n := fetched(); n != int64(i+1) {
			t.Fatalf("after %v: %d fetches, want %d", now.Sub(noon), n, i+1)
		}
	}
	o.on(discoveryPath, nil)
	o.at(now.Add(time.Minute))
	if _, err := p.AuthURL(t.Context(), authRequest()); err != nil {
		t.Errorf("after the provider came back: %v", err)
	}
}

func TestStaleMetadataServes(t *testing.T) {
	t.Parallel()
	o := newOP(t)
	var log bytes.Buffer
	p := o.client(func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	if _, err := p.AuthURL(t.Context(), authRequest()); err != nil {
		t.Fatal(err)
	}
	failed := make(chan struct{}, 8)
	o.on(discoveryPath, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(500)
		failed <- struct{}{}
	})
	o.at(noon.Add(25 * time.Hour))
	for range 3 {
		if _, err := p.AuthURL(t.Context(), authRequest()); err != nil {
			t.Fatal(err)
		}
	}
	<-failed
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if n := o.fetches[discoveryPath].Load(); n != 2 {
		t.Errorf("%d fetches, want one more than the first: it failed, and is not tried at once again", n)
	}
	if !strings.Contains(log.String(), "provider=sso what=metadata") {
		t.Errorf("the log is %q", log.String())
	}
}

func TestMetadataIsRefused(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(obj){
		"2 MiB":                      func(m obj) { m["padding"] = strings.Repeat("x", 2<<20) },
		"other issuer":               func(m obj) { m["issuer"] = "https://evil.example" },
		"issuer with a slash":        func(m obj) { m["issuer"] = m["issuer"].(string) + "/" },
		"issuer is a number":         func(m obj) { m["issuer"] = 7 },
		"no issuer":                  func(m obj) { delete(m, "issuer") },
		"no keys":                    func(m obj) { delete(m, "jwks_uri") },
		"token endpoint is a path":   func(m obj) { m["token_endpoint"] = "/token" },
		"token endpoint is no http":  func(m obj) { m["token_endpoint"] = "file:///etc/passwd" },
		"script as authorization":    func(m obj) { m["authorization_endpoint"] = "javascript:alert(1)" },
		"user name in the endpoint":  func(m obj) { m["token_endpoint"] = "https://a:b@evil.example/" },
		"end session is not https":   func(m obj) { m["end_session_endpoint"] = "data:text/html,x" },
		"authorization is an object": func(m obj) { m["authorization_endpoint"] = obj{} },
	} {
		o := newOP(t)
		o.metadata = edit
		_, err := o.client(nil).AuthURL(t.Context(), authRequest())
		if !errors.Is(err, provider.ErrUnavailable) {
			t.Errorf("%s: AuthURL() = %v, want ErrUnavailable", name, err)
		}
		if strings.Contains(name, "slash") && (!errors.Is(err, provider.ErrMisconfigured) || !strings.Contains(err.Error(), "slash at the end")) {
			t.Errorf("%s: AuthURL() = %v, want the cure", name, err)
		}
	}
}

// TestMetadataReach: an issuer's metadata send nobody to another host by plain http,
// nor into a private network.
func TestMetadataReach(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		issuer, token, keys string
		ok                  bool
	}{
		{"https://sso.example", "https://tokens.example/t", "https://keys.example/k", true},
		{"https://sso.example", "http://sso.example/t", "https://sso.example/k", false},
		{"https://sso.example", "https://127.0.0.1/t", "https://sso.example/k", false},
		{"https://sso.example", "https://localhost/t", "https://sso.example/k", false},
		{"https://sso.example", "https://sso.example/t", "https://169.254.169.254/latest", false},
		{"https://sso.example", "https://sso.example/t", "https://[::ffff:10.0.0.1]/k", false},
		{"https://10.0.0.5", "https://10.0.0.6/t", "https://sso.example/k", true},
		{"http://localhost:8080", "http://localhost:9090/t", "http://127.0.0.1:9090/k", true},
		{"http://localhost:8080", "http://10.0.0.5/t", "http://localhost:8080/k", false},
		{"http://localhost:8080", "http://localhost:8080/t", "https://keys.example/k", false},
		{"http://keycloak:8080", "http://keycloak:8080/t", "http://KEYCLOAK:8080/k", true},
		{"http://keycloak:8080", "http://localhost:8080/t", "http://keycloak:8080/k", false},
	} {
		m := metadata{Issuer: tt.issuer, AuthURL: tt.issuer + "/a", TokenURL: tt.token, JWKSURL: tt.keys}
		if err := m.check(&Config{Issuer: tt.issuer}); (err == nil) != tt.ok {
			t.Errorf("%s with %s and %s: %v", tt.issuer, tt.token, tt.keys, err)
		}
	}
	for _, edit := range []func(*metadata){
		func(m *metadata) { m.UserInfoURL = "https://10.0.0.1/u" },
		func(m *metadata) { m.RevocationURL = "https://10.0.0.1/r" },
	} {
		m := metadata{Issuer: "https://sso.example", AuthURL: "https://sso.example/a", TokenURL: "https://sso.example/t", JWKSURL: "https://sso.example/k"}
		edit(&m)
		if m.check(&Config{Issuer: "https://sso.example"}) == nil {
			t.Errorf("%+v is accepted", m)
		}
	}
}

func TestHTTPSProviderMayNotNameHTTPEndpoints(t *testing.T) {
	t.Parallel()
	m := metadata{Issuer: "https://sso.example", AuthURL: "https://sso.example/a", TokenURL: "http://sso.example/t", JWKSURL: "https://sso.example/k"}
	if err := m.check(&Config{Issuer: "https://sso.example"}); err == nil {
		t.Error("a token endpoint over plain http is accepted")
	}
}

func TestDiscoveryAnswers(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]http.HandlerFunc{
		"redirect": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
		"10 MiB":   func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(bytes.Repeat([]byte("[1,"), 10<<20/3)) },
		"HTML":     func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
		"null":     func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("null")) },
		"cut off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("{"))
		},
	} {
		o := newOP(t)
		o.on(discoveryPath, handler)
		if name == "redirect" {
			// Discovery follows none: an attacker who can redirect would choose the provider.
			_, err := o.client(nil).AuthURL(t.Context(), authRequest())
			if !errors.Is(err, provider.ErrMisconfigured) || !strings.Contains(err.Error(), "redirects to /elsewhere") {
				t.Errorf("a redirect: %v", err)
			}
		}
		o.on("/elsewhere", func(http.ResponseWriter, *http.Request) { t.Errorf("%s: followed", name) })
		if _, err := o.client(nil).AuthURL(t.Context(), authRequest()); !errors.Is(err, provider.ErrUnavailable) {
			t.Errorf("%s: AuthURL() = %v, want ErrUnavailable", name, err)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	good := Config{Name: "sso", Issuer: "https://sso.example", ClientID: "c", Now: time.Now}
	for name, edit := range map[string]func(*Config){
		"no name":                           func(c *Config) { c.Name = "" },
		"no clock":                          func(c *Config) { c.Now = nil },
		"no client":                         func(c *Config) { c.ClientID = "" },
		"no issuer":                         func(c *Config) { c.Issuer = "" },
		"issuer over http":                  func(c *Config) { c.Issuer = "http://sso.example" },
		"issuer with a query":               func(c *Config) { c.Issuer = "https://sso.example?x=y" },
		"issuer with a user":                func(c *Config) { c.Issuer = "https://a@sso.example" },
		"own state":                         func(c *Config) { c.AuthParams = map[string]string{"state": "x"} },
		"client auth":                       func(c *Config) { c.ClientAuth = "tls_client_auth" },
		"basic, no secret":                  func(c *Config) { c.ClientAuth = authBasic },
		"none, with a secret":               func(c *Config) { c.ClientAuth, c.ClientSecret = authNone, "s" },
		"key auth, no key":                  func(c *Config) { c.ClientAuth = authPrivateKeyJWT },
		"endpoint over http":                func(c *Config) { c.Endpoints.Token = "http://sso.example/token" },
		"endpoint, no URL":                  func(c *Config) { c.Endpoints.JWKS = "/keys" },
		"internal over http":                func(c *Config) { c.InternalURL = "http://keycloak:8080" },
		"internal path":                     func(c *Config) { c.InternalURL = "https://keycloak:8443/auth" },
		"internal, a query":                 func(c *Config) { c.InternalURL = "https://keycloak:8443?" },
		"endpoint with a password":          func(c *Config) { c.Endpoints.Token = "https://a:b@sso.example/token" },
		"endpoint with a fragment":          func(c *Config) { c.Endpoints.Token = "https://sso.example/token#" },
		"endpoint with a capital scheme":    func(c *Config) { c.Endpoints.Token = "HTTPS://sso.example/token" },
		"endpoint without a host":           func(c *Config) { c.Endpoints.Token = "https://:8443/token" },
		"endpoint at the root's dot":        func(c *Config) { c.Endpoints.Token = "https://sso.example./token" },
		"plain, claims of the access token": func(c *Config) { plainly(c); c.AccessTokenClaims = []string{"roles"} },
		"plain, no userinfo":                func(c *Config) { plainly(c); c.UserInfo = UserInfoNever },
		"plain, no userinfo endpoint":       func(c *Config) { plainly(c); c.Endpoints.UserInfo = "" },
		"groups endpoint, not plain":        func(c *Config) { c.Endpoints.Groups = "https://sso.example/groups" },
		"trust of an address":               func(c *Config) { c.TrustEmail = []string{"a@example.com"} },
	} {
		c := good
		edit(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	plain := good
	plainly(&plain)
	p, err := New(plain)
	if err != nil {
		t.Fatalf("plain: %v", err)
	}
	defer func() { _ = p.Close() }()
	if _, err := p.VerifyLogout(t.Context(), "a.b.c"); !errors.Is(err, provider.ErrResponse) || p.TellsLogouts() {
		t.Errorf("a logout token of a provider without keys: %v", err)
	}
	private := good
	private.Endpoints.Token, private.InternalURL = "https://10.0.0.5/token?x=y", "https://[fd00::1]:8443/"
	if _, err := New(private); err != nil {
		t.Errorf("addresses in the operator's own network: %v", err)
	}
	good.Issuer, good.InsecureHTTP = "http://keycloak:8080/realms/x", true
	if _, err := New(good); err != nil {
		t.Errorf("plain http as configured: %v", err)
	}
}

// plainly makes a configuration one without OpenID Connect.
func plainly(c *Config) {
	c.Plain = true
	c.Endpoints = Endpoints{Authorization: c.Issuer + "/a", Token: c.Issuer + "/t", UserInfo: c.Issuer + "/u"}
}

func TestClosedProviderIsUnavailable(t *testing.T) {
	t.Parallel()
	p := newOP(t).client(nil)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.AuthURL(t.Context(), authRequest()); !errors.Is(err, provider.ErrUnavailable) {
		t.Errorf("AuthURL() = %v, want ErrUnavailable", err)
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	t.Parallel()
	p := newOP(t).client(nil)
	result := provider.Result{IDToken: "s3cr3t", Token: &provider.Token{AccessToken: "s3cr3t", RefreshToken: "s3cr3t"}}
	for _, v := range []any{p, p.config, result, &result, result.Token, *result.Token, []provider.Token{*result.Token}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			if s := fmt.Sprintf(verb, v); strings.Contains(s, "s3cr3t") {
				t.Errorf("%s of %T holds a secret: %s", verb, v, s)
			}
		}
	}
}
