package presets

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/gatehouse-auth/gatehouse/integration/browser"
	"github.com/gatehouse-auth/gatehouse/integration/gateway"
	"github.com/gatehouse-auth/gatehouse/integration/upstream"
)

const (
	clientSecret = "a-client-secret+of/the%provider"
	tenant       = "5f1c9f4e-0000-4000-8000-3b1d2c7a9e55"
	entraGroup   = "9b1d7c6e-0000-4000-8000-3b1d2c7a9e55"
	egiGroup     = "urn:mace:egi.eu:group:vo.example.org:role=member#aai.egi.eu"
	site         = "http://app.localhost"
)

// scenario is what a provider says of somebody, and what becomes of that.
type scenario struct {
	page     string // in docs/providers
	name     string
	persona  persona
	status   int
	user     string // Remote-User
	fullName string // Remote-Name
	groups   string // Remote-Groups
}

func scenarios() []scenario {
	verified := obj{"email": "alice@example.com", "email_verified": true, "name": "Alice"}
	with := func(base obj, more obj) obj {
		all := obj{}
		for _, o := range []obj{base, more} {
			for name, value := range o {
				all[name] = value
			}
		}
		return all
	}
	basic := []string{"openid", "profile", "email"}
	google := persona{issuer: "https://accounts.google.com", auth: "basic", scopes: basic}
	entra := persona{
		issuer: "https://login.microsoftonline.com/" + tenant + "/v2.0", auth: "post",
		userinfo: obj{"sub": "subject-1", "name": "Alice"},
	}
	keycloak := persona{
		issuer: "https://sso.example.com/realms/main", auth: "basic", idToken: with(verified, obj{"azp": "gatehouse"}),
		userinfo: with(verified, obj{"sub": "subject-1"}),
	}
	var all []scenario
	add := func(page, name string, p persona, change func(*persona), s scenario) {
		s.page, s.name, s.persona = page, name, p
		if change != nil {
			change(&s.persona)
		}
		all = append(all, s)
	}
	alice := scenario{status: 200, user: "alice@example.com", fullName: "Alice"}
	staff := scenario{status: 200, user: "alice@example.com", fullName: "Alice", groups: "staff"}
	refused := scenario{status: 403}

	add("google", "of the Workspace", google, func(p *persona) { p.idToken = with(verified, obj{"hd": "example.com"}) }, alice)
	add("google", "a private account", google, func(p *persona) { p.idToken = verified }, refused)
	add("github", "organisations and teams", persona{
		issuer: "https://github.com", plain: true, auth: "post", scopes: []string{"read:user", "user:email", "read:org"},
		granted: "read:org,read:user,user:email",
		api: obj{
			"https://api.github.com/user":        obj{"id": 583231, "login": "octocat", "name": "Alice", "email": nil, "type": "User"},
			"https://api.github.com/user/emails": []obj{{"email": "alice@example.com", "primary": true, "verified": true}, {"email": "x@example.com", "verified": false}},
			"https://api.github.com/user/orgs":   []obj{{"login": "Acme"}},
			"https://api.github.com/user/teams":  []obj{{"slug": "devs", "organization": obj{"login": "Acme"}}},

			"https://api.github.com/applications/gatehouse/token": http.StatusNotFound,
		},
	}, nil, scenario{status: 200, user: "alice@example.com", fullName: "Alice", groups: "acme,acme/devs"})
	add("gitlab", "groups in userinfo", persona{
		issuer: "https://gitlab.com", auth: "basic", scopes: basic, idToken: verified,
		metadata: obj{"claims_supported": []string{"sub", "email", "groups"}},
		userinfo: with(verified, obj{"sub": "subject-1", "groups": []string{"acme", "acme/devs"}}),
	}, nil, scenario{status: 200, user: "alice@example.com", fullName: "Alice", groups: "acme,acme/devs"})
	add("entra", "an address without email_verified", entra, func(p *persona) {
		p.idToken = obj{"email": "alice@example.com", "name": "Alice", "tid": tenant}
	}, alice)
	add("entra", "too many groups for a token", entra, func(p *persona) {
		p.idToken = obj{
			"name": "Alice", "tid": tenant, "email": "alice@elsewhere.example", "_claim_names": obj{"groups": "src1"},
			"_claim_sources": obj{"src1": obj{"endpoint": "https://graph.windows.net/x/users/y/getMemberObjects"}},
		}
		p.groups = obj{"value": []string{entraGroup}}
	}, scenario{status: 200, user: "entra:subject-1", fullName: "Alice", groups: entraGroup})
	add("keycloak", "roles in the access token", keycloak, func(p *persona) {
		p.access = obj{"azp": "gatehouse", "aud": "account", "typ": "Bearer", "realm_access": obj{"roles": []string{"staff", "offline_access"}}}
	}, scenario{status: 200, user: "alice@example.com", fullName: "Alice", groups: "staff,offline_access"})
	add("keycloak", "without the role", keycloak, func(p *persona) {
		p.access = obj{"azp": "gatehouse", "aud": "account", "realm_access": obj{"roles": []string{"offline_access"}}}
	}, refused)
	add("okta", "the scope groups", persona{
		issuer: "https://example.okta.com", auth: "basic", scopes: append(basic, "groups"),
		idToken: obj{"email": "alice@example.com", "name": "Alice"}, userinfo: with(verified, obj{"sub": "subject-1", "groups": []string{"staff"}}),
	}, nil, scenario{status: 200, user: "okta:subject-1", fullName: "Alice", groups: "staff"})
	add("auth0", "a claim whose name is a URL", persona{
		issuer: "https://example.eu.auth0.com/", auth: "post", idToken: with(verified, obj{"https://example.com/roles": []string{"staff"}}),
	}, nil, staff)
	add("apple", "posted, with the name", persona{
		issuer: "https://appleid.apple.com", auth: "post", scopes: []string{"openid", "email", "name"}, formPost: true,
		idToken: obj{"email": "alice@example.com", "email_verified": "true", "is_private_email": "false", "nonce_supported": true},
		user:    `{"name":{"firstName":"Alice","lastName":"Liddell"},"email":"forged@example.com"}`,
	}, nil, scenario{status: 200, user: "alice@example.com", fullName: "Alice Liddell"})
	add("zitadel", "roles as names", persona{
		issuer: "https://example.zitadel.cloud", auth: "basic", idToken: verified,
		userinfo: with(verified, obj{"sub": "subject-1", "urn:zitadel:iam:org:project:roles": obj{"staff": obj{"1": "example.com"}}}),
	}, nil, staff)
	add("authentik", "email_verified false", persona{
		issuer: "https://authentik.example.com/application/o/gatehouse/", auth: "basic",
		idToken: obj{"email": "alice@example.com", "email_verified": false, "name": "Alice", "preferred_username": "alice", "groups": []string{"staff"}},
	}, nil, scenario{status: 200, user: "alice", fullName: "Alice", groups: "staff"})
	add("authelia", "an ID token with the subject alone", persona{
		issuer: "https://auth.example.com", auth: "basic", scopes: append(basic, "groups"), idToken: obj{"amr": []string{"pwd"}},
		userinfo: with(verified, obj{"sub": "subject-1", "preferred_username": "alice", "groups": []string{"staff"}}),
	}, nil, scenario{status: 200, user: "alice", fullName: "Alice", groups: "staff"})
	add("pocket_id", "the scope groups", persona{
		issuer: "https://id.example.com", auth: "basic", scopes: append(basic, "groups"), idToken: with(verified, obj{"groups": []string{"staff"}}),
	}, nil, staff)
	add("discord", "no ID token", persona{
		issuer: "https://discord.com", plain: true, auth: "basic", scopes: []string{"identify", "email"},
		userinfo: obj{"id": "80351110224678912", "username": "nelly", "global_name": "Nelly", "email": "nelly@example.com", "verified": true, "sub": "junk"},
	}, nil, scenario{status: 200, user: "nelly@example.com", fullName: "Nelly"})
	add("discord", "an unverified address", persona{
		issuer: "https://discord.com", plain: true, auth: "basic", scopes: []string{"identify", "email"},
		userinfo: obj{"id": "80351110224678912", "username": "nelly", "global_name": "Nelly", "email": "nelly@example.com", "verified": false},
	}, nil, scenario{status: 200, user: "discord:80351110224678912", fullName: "Nelly"})
	add("oauth2", "members by other names", persona{
		issuer: "https://forge.example.com", plain: true, auth: "post", scopes: []string{"read:user"},
		userinfo: obj{"id": 7, "login": "alice", "full_name": "Alice", "teams": []obj{{"name": "devs"}}},
	}, nil, scenario{status: 200, user: "alice", fullName: "Alice", groups: "devs"})
	add("egi_checkin", "entitlements", persona{
		issuer: "https://aai.egi.eu/auth/realms/egi", auth: "basic", scopes: append(basic, "voperson_id", "entitlements"), idToken: obj{},
		userinfo: with(verified, obj{"sub": "subject-1", "entitlements": []string{egiGroup}}),
	}, nil, scenario{status: 200, user: "alice@example.com", fullName: "Alice", groups: egiGroup})
	add("indigo_iam", "an issuer with a slash", persona{
		issuer: "https://iam.example.org/", auth: "basic", idToken: verified,
		userinfo: with(verified, obj{"sub": "subject-1", "groups": []string{"cms", "cms/production"}}),
	}, nil, scenario{status: 200, user: "alice@example.com", fullName: "Alice", groups: "cms,cms/production"})
	add("orcid", "no address", persona{
		issuer: "https://orcid.org", auth: "post", scopes: []string{"openid"},
		idToken: obj{"sub": "0000-0002-1825-0097", "given_name": "Josiah", "name": "Josiah Carberry", "at_hash": nil},
	}, func(p *persona) { delete(p.idToken, "at_hash") }, scenario{status: 200, user: "0000-0002-1825-0097", fullName: "Josiah Carberry"})
	add("cilogon", "eppn", persona{
		issuer: "https://cilogon.org", auth: "basic", scopes: append(basic, "org.cilogon.userinfo"),
		idToken:  obj{"email": "alice@gmail.com"},
		userinfo: obj{"sub": "subject-1", "email": "alice@gmail.com", "eppn": "alice@university.example.edu", "name": "Alice"},
	}, nil, scenario{status: 200, user: "alice@university.example.edu", fullName: "Alice"})
	return all
}

// TestPresets signs in with the Caddyfile of each provider's page.
func TestPresets(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, s := range scenarios() {
		seen[s.page] = true
		t.Run(s.page+"/"+s.name, func(t *testing.T) {
			t.Parallel()
			s.run(t)
		})
	}
	pages, err := filepath.Glob(filepath.Join(gateway.Root(), "docs", "providers", "*.md"))
	if err != nil || len(pages) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	for _, page := range pages {
		if name := strings.TrimSuffix(filepath.Base(page), ".md"); !seen[name] {
			t.Errorf("nobody signs in with the Caddyfile of %s", page)
		}
	}
}

func (s *scenario) run(t *testing.T) {
	p := newProvider(t, s.persona)
	keyFile, public := appleKey(t)
	if s.page == "apple" {
		p.verify = func(secret string) error { return checkAppleSecret(secret, public) }
	}
	stage := newStage(t, p)
	app := upstream.Start(t)
	node := gateway.Start(t, gateway.Options{
		Caddyfile: caddyfile(t, s.page, app.Addr),
		Env:       append(environment(t, s.page, keyFile), "HTTPS_PROXY="+stage.proxy, "SSL_CERT_FILE="+stage.caFile),
	})
	b := browser.New(t, browser.Options{
		RootCAs: stage.roots, Learn: node.Secrets.Learn,
		Route: func(address string) string {
			if host, port, _ := net.SplitHostPort(address); port == "443" && host != "app.localhost" {
				return stage.address
			}
			return node.Route(address)
		},
	})
	page := b.Open(site + "/reports?year=2026")
	for _, form := range page.Forms() {
		if strings.Contains(form.Action.Path, "/callback/") { // the provider has it posted
			page = b.Submit(page, form, nil)
			break
		}
	}
	if page.Status != s.status {
		t.Fatalf("answered %d, want %d: %s", page.Status, s.status, page.Text())
	}
	if s.status != http.StatusOK {
		return
	}
	last := app.Last(t)
	for name, want := range map[string]string{"Remote-User": s.user, "Remote-Name": s.fullName, "Remote-Groups": s.groups} {
		if got := last.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if last.URI != "/reports?year=2026" {
		t.Errorf("landed on %s", last.URI)
	}
	if report := node.Verb(t, "doctor"); !strings.Contains(report, "): ok\n") || !strings.Contains(report, "register the redirect URI "+site+"/.gatehouse/callback/") {
		t.Errorf("the doctor says\n%s", report)
	}
}

var (
	fence       = regexp.MustCompile("(?s)```caddyfile\n(.*?)```")
	placeholder = regexp.MustCompile(`\{env\.([A-Z0-9_]+)\}`)
)

func pageText(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(gateway.Root(), "docs", "providers", name+".md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// caddyfile is the page's, by plain http and with the test's upstream.
func caddyfile(t *testing.T, page, app string) string {
	t.Helper()
	found := fence.FindStringSubmatch(pageText(t, page))
	if found == nil {
		t.Fatalf("the page of %s has no Caddyfile", page)
	}
	text := strings.Replace(found[1], "\napp.example.com {", "\n"+site+" {", 1)
	return strings.Replace(text, "app:3000", app, 1)
}

func environment(t *testing.T, page, keyFile string) []string {
	t.Helper()
	var env []string
	for _, found := range placeholder.FindAllStringSubmatch(pageText(t, page), -1) {
		value := "gatehouse"
		switch name := found[1]; {
		case strings.HasSuffix(name, "_SECRET"):
			value = clientSecret
		case name == "ENTRA_TENANT_ID":
			value = tenant
		case name == "APPLE_KEY_FILE":
			value = keyFile
		}
		env = append(env, found[1]+"="+value)
	}
	return env
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

// checkAppleSecret is what Apple does with a client secret.
func checkAppleSecret(secret string, public *ecdsa.PublicKey) error {
	token, err := jwt.ParseSigned(secret, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return err
	}
	var claims jwt.Claims
	if err := token.Claims(public, &claims); err != nil {
		return err
	}
	return claims.Validate(jwt.Expected{Issuer: "A1B2C3D4E5", Subject: "com.example.app", AnyAudience: jwt.Audience{"https://appleid.apple.com"}})
}
