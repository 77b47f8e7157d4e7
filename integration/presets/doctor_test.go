package presets

import (
	"encoding/json"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/integration/gateway"
)

// mistake is what people get wrong with one provider, and what the doctor says of it.
type mistake struct {
	block   string // behind "provider NAME"
	persona persona
	want    string
}

// mistakes are one of each preset: an issuer, a tenant, a redirect URI, a secret or a
// scope (field case A11).
func mistakes() map[string]mistake {
	const client = "client_id gatehouse\nclient_secret {env.CLIENT_SECRET}\n"
	gone := func(address string) obj {
		return obj{address + "/.well-known/openid-configuration": reply{status: 404, body: obj{"error": "not found"}}}
	}
	invalid := func(address string, status int) obj {
		return obj{address: reply{status: status, body: obj{"error": "invalid_client", "error_description": "Unknown client"}}}
	}
	const entra = "https://login.microsoftonline.com/" + tenant + "/v2.0"
	return map[string]mistake{
		// https://developers.google.com/identity/protocols/oauth2/web-server#authorization-errors-redirect-uri-mismatch
		"google": {"{\n" + client + "}", persona{issuer: "https://accounts.google.com", auth: "basic", api: obj{
			"https://accounts.google.com/authorize": reply{status: 302, location: "https://accounts.google.com/signin/oauth/error?authError=x"},
		}}, "add the redirect URI to the OAuth client"},
		// https://learn.microsoft.com/troubleshoot/entra/entra-id/app-integration/error-code-aadsts50011-redirect-uri-mismatch
		"entra": {"{\ntenant " + tenant + "\n" + client + "}", persona{issuer: entra, auth: "basic", api: obj{
			entra + "/authorize": reply{status: 200, body: "<html>AADSTS50011: The redirect URI does not match"},
		}}, "add the redirect URI to the application, of the type Web (it says AADSTS50011)"},
		"keycloak":  {"https://sso.example.com/realms/Main {\n" + client + "}", persona{issuer: "https://sso.example.com/realms/main", api: gone("https://sso.example.com/realms/Main")}, "Check the realm's name"},
		"okta":      {"https://example.okta.com/oauth2/nope {\n" + client + "}", persona{issuer: "https://example.okta.com", api: gone("https://example.okta.com/oauth2/nope")}, "Check the id of the authorization server"},
		"auth0":     {"https://example.auth0.com/ {\n" + client + "}", persona{issuer: "https://example.auth0.com/", api: gone("https://example.auth0.com")}, "with its region"},
		"authentik": {"https://ak.example.com/application/o/nope/ {\n" + client + "}", persona{issuer: "https://ak.example.com/", api: gone("https://ak.example.com/application/o/nope")}, "Check the application's slug"},
		"authelia":  {"https://authelia.example.com {\n" + client + "}", persona{issuer: "https://authelia.example.com", api: gone("https://authelia.example.com")}, "identity_providers.oidc"},
		"zitadel":   {"https://example.zitadel.cloud {\n" + client + "}", persona{issuer: "https://example.zitadel.cloud", api: gone("https://example.zitadel.cloud")}, "the instance's domain"},
		"pocket_id": {"https://id.example.com {\n" + client + "}", persona{issuer: "https://id.example.com", api: obj{
			"https://id.example.com/.well-known/openid-configuration": reply{status: 200, body: "<html>"},
		}}, "Write APP_URL"},
		"gitlab": {"https://gitlab.example.com {\n" + client + "}", persona{issuer: "https://gitlab.example.com", api: obj{
			"https://gitlab.example.com/.well-known/openid-configuration": reply{status: 302, location: "https://gitlab.example.com/users/sign_in"},
		}}, "it redirects to https://gitlab.example.com/users/sign_in"},
		"indigo_iam": {"https://iam.example.org {\n" + client + "}", persona{issuer: "https://iam.example.org/"}, "they differ in the slash at the end"},
		"egi_checkin": {
			"{\n" + client + "}",
			persona{issuer: "https://aai.egi.eu/auth/realms/egi", auth: "basic", api: invalid("https://aai.egi.eu/auth/realms/egi/token", 401)},
			`"invalid_client" (Unknown client); check client_id, client_secret and client_auth`,
		},
		"cilogon": {"{\n" + client + "}", persona{issuer: "https://cilogon.org", auth: "basic", scopes: []string{"openid", "profile", "email"}}, `answers "invalid_scope" to a sign-in (); check scopes`},
		"orcid":   {"{\n" + client + "}", persona{issuer: "https://orcid.org", auth: "post", api: invalid("https://orcid.org/token", 401)}, "check client_id, client_secret"},
		"apple": {
			"{\nclient_id com.example.app\nteam_id A1B2C3D4E5\nkey_id ABC123DEFG\nkey_file {env.KEY_FILE}\n}",
			persona{issuer: "https://appleid.apple.com", auth: "post", api: invalid("https://appleid.apple.com/token", 400)},
			"check client_id, which is the Services ID",
		},
		"discord": {"{\n" + client + "}", persona{issuer: "https://discord.com", plain: true, auth: "basic", api: invalid("https://discord.com/api/oauth2/token", 401)}, "check client_id, client_secret"},
		"oauth2": {
			"https://forge.example.com {\n" + client + "claim_names sub=id\nendpoints {\nauthorization https://forge.example.com/authorize\ntoken https://forge.example.com/nope\nuserinfo https://forge.example.com/userinfo\n}\n}",
			persona{issuer: "https://forge.example.com", plain: true, auth: "basic", api: obj{"https://forge.example.com/nope": reply{status: 404, body: "<html>"}}},
			"is that the token endpoint?",
		},
		"github": {"{\n" + client + "scopes read:user email\n}", persona{issuer: "https://github.com", plain: true, api: gitHub("https://api.github.com", nil)}, "GitHub has no scope email; write user:email"},
	}
}

// TestDoctor_NamesTheCure: a setting that people get wrong is named with its cure, at
// each provider that has a page.
func TestDoctor_NamesTheCure(t *testing.T) {
	t.Parallel()
	servers := internet{}
	var blocks strings.Builder
	all := mistakes()
	for name, m := range all {
		u, err := url.Parse(m.persona.issuer)
		if err != nil {
			t.Fatal(err)
		}
		p := newProvider(t, m.persona)
		servers[u.Host] = p
		if name == "github" {
			servers["api.github.com"] = p
		}
		fmt.Fprintf(&blocks, "provider %s %s\n", name, m.block)
	}
	pages, err := filepath.Glob(filepath.Join(gateway.Root(), "docs", "providers", "*.md"))
	if err != nil || len(pages) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	for _, page := range pages {
		if name := strings.TrimSuffix(filepath.Base(page), ".md"); all[name].want == "" {
			t.Errorf("no mistake of %s is tried", name)
		}
	}
	stage := newStage(t, servers)
	keyFile, _ := appleKey(t)
	node := gateway.Start(t, gateway.Options{
		Caddyfile: "{\ngatehouse {\n" + blocks.String() + "}\n}\n" + site + " {\ngatehouse {\nallow anyone\n}\n}\n",
		Env:       []string{"CLIENT_SECRET=" + clientSecret, "KEY_FILE=" + keyFile, "HTTPS_PROXY=" + stage.proxy, "SSL_CERT_FILE=" + stage.caFile},
	})
	body, err := node.Admin(t, "GET", "/gatehouse/health?status=200&providers=true", "", "")
	if err != nil {
		t.Fatal(err)
	}
	var health struct {
		Providers []struct {
			Name         string
			State        string
			Warnings     []string
			RedirectURIs []string `json:"redirect_uris"`
		}
	}
	if err := json.Unmarshal([]byte(body), &health); err != nil || len(health.Providers) != len(all) {
		t.Fatalf("%v: %s", err, body)
	}
	for _, p := range health.Providers {
		said := p.State + "; " + strings.Join(p.Warnings, "; ")
		if !strings.Contains(said, all[p.Name].want) {
			t.Errorf("%s: the doctor says\n%s\nwant\n%s", p.Name, said, all[p.Name].want)
		}
		if !slices.Contains(p.RedirectURIs, site+"/.gatehouse/callback/"+p.Name) {
			t.Errorf("%s: to register: %q", p.Name, p.RedirectURIs)
		}
		if strings.Contains(said, clientSecret) {
			t.Errorf("%s: the doctor prints the secret: %s", p.Name, said)
		}
	}
}
