package oidc

import (
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

// TestEndpointsWithoutDiscovery: endpoints that the operator names take the place of
// the metadata's (oauth2-proxy: --skip-oidc-discovery with --login-url, --redeem-url).
func TestEndpointsWithoutDiscovery(t *testing.T) {
	t.Parallel()
	o := newOP(t)
	o.on(discoveryPath, func(http.ResponseWriter, *http.Request) { t.Error("metadata were fetched") })
	p := o.client(func(c *Config) {
		c.Endpoints = Endpoints{Authorization: "https://sso.example.com/auth", Token: o.URL + "/token", JWKS: o.URL + "/keys"}
	})
	raw, err := p.AuthURL(t.Context(), authRequest())
	if err != nil || !strings.HasPrefix(raw, "https://sso.example.com/auth?") {
		t.Fatalf("AuthURL() = %q, %v", raw, err)
	}
	if _, err := signIn(t.Context(), p); err != nil {
		t.Error(err)
	}
}

// TestOneEndpoint: of the others the metadata tell.
func TestOneEndpoint(t *testing.T) {
	t.Parallel()
	o := newOP(t)
	o.on("/other", func(w http.ResponseWriter, r *http.Request) {
		r.URL.Path = "/token"
		o.serve(w, r)
	})
	o.on("/token", func(http.ResponseWriter, *http.Request) { t.Error("the endpoint of the metadata was asked") })
	p := o.client(func(c *Config) { c.Endpoints.Token = o.URL + "/other" })
	o.on("/token", nil)
	if _, err := signIn(t.Context(), p); err != nil {
		t.Error(err)
	}
	if o.fetches[discoveryPath].Load() != 1 || o.fetches["/token"].Load() != 1 {
		t.Errorf("%d fetches of the metadata, %d tokens", o.fetches[discoveryPath].Load(), o.fetches["/token"].Load())
	}
}

// TestInternalURL: in a compose network the gateway reaches the provider by another
// name than browsers do (Keycloak's KC_HOSTNAME_BACKCHANNEL_DYNAMIC, with which its
// metadata name the internal endpoints, and without which they do not).
func TestInternalURL(t *testing.T) {
	t.Parallel()
	for name, dynamic := range map[string]bool{"the metadata name the public ones": false, "the metadata name the internal ones": true} {
		o := newOP(t)
		const public = "https://sso.example.com"
		o.metadata = func(m obj) {
			m["issuer"], m["authorization_endpoint"], m["end_session_endpoint"] = public, public+"/auth", public+"/logout"
			if !dynamic {
				m["token_endpoint"], m["jwks_uri"], m["userinfo_endpoint"], m["revocation_endpoint"] = public+"/token", public+"/keys", public+"/userinfo", public+"/revoke"
			}
		}
		o.claims = func(c obj) { c["iss"] = public }
		p := o.client(func(c *Config) { c.Issuer, c.InternalURL = public, o.URL })
		raw, err := p.AuthURL(t.Context(), authRequest())
		if err != nil || !strings.HasPrefix(raw, public+"/auth?") {
			t.Errorf("%s: AuthURL() = %q, %v", name, raw, err)
		}
		result, err := signIn(t.Context(), p)
		if err != nil || result.Claims.Issuer != public {
			t.Errorf("%s: %v by %q", name, err, result.Claims.Issuer)
		}
		if raw, err := p.EndSessionURL(t.Context(), "", "", ""); err != nil || !strings.HasPrefix(raw, public) {
			t.Errorf("%s: EndSessionURL() = %q, %v", name, raw, err)
		}
	}
}

// TestInternal: only what is at the issuer's origin is asked for at the internal one,
// however the provider spells it.
func TestInternal(t *testing.T) {
	t.Parallel()
	c := &Config{Issuer: "https://sso.example.com/realms/x", InternalURL: "https://keycloak:8443/"}
	for public, want := range map[string]string{
		"https://sso.example.com/realms/x/token?a=b": "https://keycloak:8443/realms/x/token?a=b",
		"https://SSO.example.com/t%2Fu":              "https://keycloak:8443/t%2Fu",
		"HTTPS://SSO.example.com/token":              "https://keycloak:8443/token",
		"https://sso.example.com":                    "https://keycloak:8443/",
		"https://other.example.com/token":            "https://other.example.com/token",
		"http://sso.example.com/token":               "http://sso.example.com/token",
		"https://sso.example.com:444/token":          "https://sso.example.com:444/token",
		"":                                           "",
	} {
		if got := c.internal(public); got != want {
			t.Errorf("internal(%q) = %q, want %q", public, got, want)
		}
	}
}

// TestInternalIsReached: what the operator names is reached, wherever it is, and what
// metadata name is not.
func TestInternalIsReached(t *testing.T) {
	t.Parallel()
	o := newOP(t)
	u, _ := url.Parse(o.URL)
	o.metadata = func(m obj) {
		for name := range m {
			if s, ok := m[name].(string); ok {
				m[name] = strings.Replace(s, o.URL, "https://sso.example.com", 1)
			}
		}
		m["jwks_uri"] = "https://localhost:" + u.Port() + "/keys"
	}
	p, err := New(Config{Name: "sso", Issuer: "https://sso.example.com", ClientID: "client", Now: o.now, InternalURL: o.URL, Logger: discard})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close() }()
	if _, err := p.AuthURL(t.Context(), authRequest()); err == nil || !strings.Contains(err.Error(), "jwks_uri") {
		t.Errorf("keys in a private network, which nobody named: %v", err)
	}
}

// TestRootCAs: a provider with an authority of its own is trusted by that, and told
// apart from one that is down.
func TestRootCAs(t *testing.T) {
	t.Parallel()
	o := newOP(t)
	secure := httptest.NewTLSServer(http.HandlerFunc(o.serve))
	t.Cleanup(secure.Close)
	o.metadata = func(m obj) {
		for name := range m {
			if s, ok := m[name].(string); ok {
				m[name] = strings.Replace(s, o.URL, secure.URL, 1)
			}
		}
	}
	trusted := x509.NewCertPool()
	trusted.AddCert(secure.Certificate())
	for _, roots := range []*x509.CertPool{nil, trusted} {
		p, err := New(Config{Name: "sso", Issuer: secure.URL, ClientID: "client", Now: o.now, RootCAs: roots, Logger: discard})
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.AuthURL(t.Context(), authRequest())
		if roots != nil && err != nil {
			t.Errorf("with its authority: %v", err)
		}
		if roots == nil && (!errors.Is(err, provider.ErrMisconfigured) || !strings.Contains(err.Error(), "tls_trust_pool")) {
			t.Errorf("of an unknown authority: %v", err)
		}
		_ = p.Close()
	}
}
