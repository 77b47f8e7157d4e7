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
		{"entra", "", map[string][]string{"tenant": many("consumers")}, ""},
		{"entra", "", map[string][]string{"tenant": many("consumers"), "tenants": many(tenantID)}, "named by tenant alone"},
		{"apple", "", map[string][]string{"team_id": many("T"), "key_id": many("K"), "key_file": many("preset.go")}, "key_file preset.go: it is neither a JWK"},
		{"apple", "", map[string][]string{"team_id": many("T"), "key_id": many("K"), "key_file": many("/nowhere/AuthKey.p8")}, ""},
		{"google", "", map[string][]string{"tenant": many(tenantID)}, `google has no option "tenant"`},
		{"oauth2", "https://f.example.com", map[string][]string{"claim_names": many("name=n")}, "nothing of sub"},
		{"oauth2", "https://f.example.com", map[string][]string{"claim_names": many("sub")}, "is not CLAIM=MEMBER"},
		{"oauth2", "https://f.example.com", map[string][]string{"claim_names": many("sub=a", "sub=b")}, "occurs twice"},
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
		{"entra", Settings{Options: map[string][]string{"tenant": {"consumers"}}}, true},
		{"entra", Settings{Options: map[string][]string{"tenant": {personalTenant}}}, true},
		{"entra", Settings{Options: map[string][]string{"tenant": {"common"}, "tenants": {tenantID, personalTenant}}}, true},
		{"keycloak", Settings{Issuer: "https://k.example.com/realms/x"}, false},
		{"oauth2", Settings{Issuer: "https://forge.example.com"}, false},
		{"oauth2", Settings{Issuer: "https://forge.example.com", Options: map[string][]string{"open": {"on"}}}, true},
		{"oauth2", Settings{Issuer: "https://github.com"}, true},
		{"oauth2", Settings{Issuer: "https://GitHub.com./"}, true},
		{"oauth2", Settings{Issuer: "https://gitlab.com/oauth"}, true},
		{"oauth2", Settings{Issuer: "https://discord.com"}, true},
	} {
		if got := named(t, tt.preset).IsOpen(tt.s); got != tt.open {
			t.Errorf("%s %+v is open: %t", tt.preset, tt.s, got)
		}
	}
}

// TestIsOpenIssuer: who writes the type oidc is asked the same as who writes the preset's
// (trust_email, and who may enter).
func TestIsOpenIssuer(t *testing.T) {
	t.Parallel()
	for issuer, open := range map[string]bool{
		"https://accounts.google.com": true, "https://ACCOUNTS.google.com": true, "https://token.actions.githubusercontent.com": true, "https://gitlab.com": true, "https://gitlab.example.com": false,
		"https://cilogon.org": true, "https://test.cilogon.org": true, "https://aai-dev.egi.eu/auth/realms/egi": true, "https://aai-demo.egi.eu/auth/realms/egi": true,
		"https://orcid.org": true, "https://sandbox.orcid.org": true, "https://appleid.apple.com": true,
		"https://login.microsoftonline.com/common/v2.0": true, "https://login.microsoftonline.com/" + tenantID + "/v2.0": false,
		"https://login.microsoftonline.us/organizations/v2.0": true, "https://sts.windows.net/" + personalTenant + "/": true,
		"https://sso.example.com/realms/main": false, "https://forge.example.com": false, "": false, "::": false,
	} {
		if got := IsOpenIssuer(issuer); got != open {
			t.Errorf("anybody can open an account at %q: %t", issuer, got)
		}
	}
}

// TestEntra: what the metadata of each kind of tenant say, and what any tenant's
// administrator can give to anybody decides nothing where any tenant may sign in
// (https://learn.microsoft.com/entra/identity-platform/claims-validation).
func TestEntra(t *testing.T) {
	t.Parallel()
	const authority = "https://login.microsoftonline.com/"
	for _, tt := range []struct {
		tenant, tenants  string
		user, groups     string
		issuer, metadata string
		fault            string
	}{
		{tenantID, "", "upn", "roles", authority + tenantID + "/v2.0", "", ""},
		{"consumers", "", "", "", authority + personalTenant + "/v2.0", "", ""},
		{"organizations", tenantID, "upn", "roles", authority + "{tenantid}/v2.0", authority + "organizations/v2.0/.well-known/openid-configuration", ""},
		{"common", "", "oid", "groups", authority + "{tenantid}/v2.0", authority + "common/v2.0/.well-known/openid-configuration", ""},
		{"common", "", "email", "", authority + "{tenantid}/v2.0", authority + "common/v2.0/.well-known/openid-configuration", ""},
		{"common", "", "preferred_username", "", "", "", "user_claim preferred_username: in any tenant"},
		{"organizations", "", "", "roles", "", "", "groups_claim roles: in any tenant"},
	} {
		s := Settings{Options: map[string][]string{"tenant": {tt.tenant}}}
		if tt.tenants != "" {
			s.Options["tenants"] = []string{tt.tenants}
		}
		c, err := named(t, "entra").Apply(oidc.Config{ClientID: "c", UserClaim: tt.user, GroupsClaim: tt.groups}, s)
		switch {
		case tt.fault != "" && (err == nil || !strings.Contains(err.Error(), tt.fault)), tt.fault == "" && err != nil:
			t.Errorf("%+v: %v", tt, err)
		case err == nil && (c.Issuer != tt.issuer || c.MetadataURL != tt.metadata):
			t.Errorf("%+v: issuer %s, metadata %s", tt, c.Issuer, c.MetadataURL)
		}
	}
}

// TestEntra_ClaimsOfAnyTenant: a further claim is as much any administrator's to give as
// the groups' claim: allow claim roles admin let in whom an administrator of another
// tenant called so.
func TestEntra_ClaimsOfAnyTenant(t *testing.T) {
	t.Parallel()
	for claim, ok := range map[string]bool{"roles": false, "upn": false, "extn.team": false, "tid": true, "oid": true} {
		for _, c := range []oidc.Config{{ClientID: "c", ExtraClaims: []string{claim}}, {ClientID: "c", AccessTokenClaims: []string{claim}}} {
			any := Settings{Options: map[string][]string{"tenant": {"organizations"}}}
			if got, err := named(t, "entra").Apply(c, any); (err == nil) != ok || ok && !got.GroupsAreIDs {
				t.Errorf("claim %s of any tenant: %v", claim, err)
			}
			any.Options["tenants"] = []string{tenantID}
			if got, err := named(t, "entra").Apply(c, any); err != nil || got.GroupsAreIDs {
				t.Errorf("claim %s of one tenant: %v", claim, err)
			}
		}
	}
}

// TestCheckGroup: a rule for a group that nobody can be in is refused at load.
func TestCheckGroup(t *testing.T) {
	t.Parallel()
	for group, ok := range map[string]bool{"197038439483310086": true, "My server": false, "": false, "７": false} {
		if err := named(t, "discord").CheckGroup(group); (err == nil) != ok {
			t.Errorf("%q: %v", group, err)
		}
	}
}

// TestEveryPresetHasCures: what people get wrong about an issuer that they write is named,
// in words of that provider's.
func TestEveryPresetHasCures(t *testing.T) {
	t.Parallel()
	for _, p := range All() {
		if !p.FixedIssuer && p.Issuer == "" && p.Name != "oauth2" && p.IssuerCure == "" {
			t.Errorf("%s has no IssuerCure", p.Name)
		}
		c, err := p.Apply(oidc.Config{ClientID: "c"}, Settings{Issuer: p.Example, Options: map[string][]string{
			"tenant": {tenantID}, "claim_names": {"sub=id"}, "key_file": {"preset.go"},
		}})
		if p.Name == "apple" {
			continue // whose key is none here
		}
		if err != nil || c.IssuerCure != p.IssuerCure || len(c.PageFaults) != len(p.Faults) {
			t.Errorf("%s: its cures are not applied: %v", p.Name, err)
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
