package preset

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/gatehouse-auth/gatehouse/flows/provider/oidc"
)

func named(t *testing.T, name string) *Preset {
	t.Helper()
	if registered[name] == nil {
		t.Fatalf("there is no preset %s", name)
	}
	return registered[name]
}

const tenantID = "5f1c9f4e-0000-4000-8000-3b1d2c7a9e55"

// What people get wrong is named with its cure.
func TestValidate(t *testing.T) {
	t.Parallel()
	many := func(values ...string) []string { return values }
	for _, tt := range []struct {
		preset, issuer string
		options        map[string][]string
		fault          string
	}{
		{"auth0", "https://example.eu.auth0.com/", nil, ""},
		{"auth0", "https://example.eu.auth0.com", nil, "write https://example.eu.auth0.com/"},
		{"authentik", "https://a.example.com/application/o/g/", nil, ""},
		{"authentik", "https://a.example.com/application/o/g", nil, "ends in a slash"},
		{"authentik", "https://a.example.com/", nil, "has /application/o/ in it"},
		{"keycloak", "https://k.example.com/realms/x", nil, ""},
		{"keycloak", "https://k.example.com/auth/realms/x", nil, ""},
		{"keycloak", "https://k.example.com", nil, "has /realms/ in it"},
		{"keycloak", "https://k.example.com/realms/x/", nil, "write https://k.example.com/realms/x"},
		{"okta", "https://x-admin.okta.com", nil, "write https://x.okta.com"},
		{"gitlab", "", nil, ""},
		{"gitlab", "https://gitlab.com/", nil, "write https://gitlab.com"},
		{"entra", "", map[string][]string{"tenant": many(tenantID)}, ""},
		{"entra", "", map[string][]string{"tenant": many("contoso.onmicrosoft.com")}, "write the directory (tenant) id"},
		{"entra", "", nil, "tenant is missing"},
		{"entra", "", map[string][]string{"tenant": many("organizations"), "tenants": many(tenantID)}, ""},
		{"entra", "", map[string][]string{"tenant": many("organizations"), "tenants": many("contoso")}, "is not the id of a tenant"},
		{"entra", "", map[string][]string{"tenant": many(tenantID), "tenants": many(tenantID)}, "named by tenant alone"},
		{"google", "", map[string][]string{"tenant": many(tenantID)}, `google has no option "tenant"`},
		{"oauth2", "https://f.example.com", map[string][]string{"claim_names": many("name=n")}, "nothing of sub"},
		{"oauth2", "https://f.example.com", map[string][]string{"claim_names": many("sub")}, "is not CLAIM=MEMBER"},
		{"oauth2", "https://f.example.com", map[string][]string{"claim_names": many("sub=a", "sub=b")}, "there twice"},
	} {
		err := named(t, tt.preset).Validate(Settings{Issuer: tt.issuer, Options: tt.options})
		if tt.fault == "" && err != nil || tt.fault != "" && (err == nil || !strings.Contains(err.Error(), tt.fault)) {
			t.Errorf("%s %s %v: %v, want %q", tt.preset, tt.issuer, tt.options, err, tt.fault)
		}
	}
}

// Where anybody can open an account, the operator must say who may enter.
func TestIsOpen(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		preset string
		s      Settings
		open   bool
	}{
		{"google", Settings{}, true},
		{"gitlab", Settings{}, true},
		{"gitlab", Settings{Issuer: "https://gitlab.example.com"}, false},
		{"entra", Settings{Options: map[string][]string{"tenant": {tenantID}}}, false},
		{"entra", Settings{Options: map[string][]string{"tenant": {"common"}}}, true},
		{"entra", Settings{Options: map[string][]string{"tenant": {"common"}, "tenants": {tenantID}}}, false},
		{"keycloak", Settings{Issuer: "https://k.example.com/realms/x"}, false},
	} {
		if got := named(t, tt.preset).IsOpen(tt.s); got != tt.open {
			t.Errorf("%s %+v is open: %t", tt.preset, tt.s, got)
		}
	}
}

// Every preset makes a provider of the smallest block that it takes, with and without
// refresh tokens.
func TestApply(t *testing.T) {
	t.Parallel()
	keyFile, _ := appleKey(t)
	for _, p := range All() {
		s := Settings{Issuer: p.Issuer, Options: map[string][]string{}}
		if s.Issuer == "" {
			s.Issuer = p.Example
		}
		for name, o := range p.Options {
			if o.Required {
				s.Options[name] = strings.Fields(o.Example)
			}
		}
		if p.Name == "apple" {
			s.Options["key_file"] = []string{keyFile}
		}
		if err := p.Validate(s); err != nil {
			t.Errorf("%s: its own examples: %v", p.Name, err)
		}
		for _, scopes := range [][]string{nil, {"openid", "profile", "email", "offline_access"}} {
			in := oidc.Config{Name: "x", ClientID: "c", Now: time.Now, Scopes: scopes}
			if p.Name == "oauth2" {
				in.Endpoints = oidc.Endpoints{Authorization: "https://f.example.com/a", Token: "https://f.example.com/t", UserInfo: "https://f.example.com/u"}
			}
			if p.Name == "orcid" {
				in.ClientSecret = "s"
			}
			c, err := p.Apply(in, s)
			if err != nil {
				t.Errorf("%s: %v", p.Name, err)
				continue
			}
			made, err := oidc.New(c)
			if err != nil {
				t.Errorf("%s: %v", p.Name, err)
				continue
			}
			_ = made.Close()
			if len(scopes) > 0 && strings.Join(scopes, " ") != "openid profile email offline_access" {
				t.Errorf("%s changed the caller's scopes", p.Name)
			}
		}
	}
}

func appleKey(t *testing.T) (file string, public *ecdsa.PublicKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "AuthKey.p8")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, &key.PublicKey
}

// Apple's client secret is made anew for each request, and lives for minutes.
func TestAppleSecret(t *testing.T) {
	t.Parallel()
	file, public := appleKey(t)
	s := Settings{Options: map[string][]string{"team_id": {"TEAM"}, "key_id": {"KEY"}, "key_file": {file}}}
	c, err := named(t, "apple").Apply(oidc.Config{ClientID: "com.example.app"}, s)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)
	secret, err := c.MakeSecret(now)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.ParseSigned(secret, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	var claims jwt.Claims
	if err := token.Claims(public, &claims); err != nil {
		t.Fatal(err)
	}
	expected := jwt.Expected{Issuer: "TEAM", Subject: "com.example.app", AnyAudience: jwt.Audience{"https://appleid.apple.com"}, Time: now}
	if err := claims.Validate(expected); err != nil || token.Headers[0].KeyID != "KEY" || claims.Expiry.Time().Sub(now) > 180*24*time.Hour {
		t.Errorf("%+v: %v", claims, err)
	}
	if _, err := named(t, "apple").Apply(oidc.Config{ClientID: "x", ClientSecret: "s"}, s); err == nil {
		t.Error("a client secret is accepted beside the key")
	}
	s.Options["key_file"] = []string{"preset.go"}
	if _, err := named(t, "apple").Apply(oidc.Config{ClientID: "x"}, s); err == nil || !strings.Contains(err.Error(), "key_file preset.go") {
		t.Errorf("a key file that is none: %v", err)
	}
}
