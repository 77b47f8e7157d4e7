package presets

import (
	"maps"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/integration/browser"
	"github.com/gatehouse-auth/gatehouse/integration/upstream"
)

// scenario is what a provider says of somebody, and what becomes of that.
type scenario struct {
	page     string // in docs/providers
	block    int    // which of its Caddyfiles
	name     string
	persona  persona
	status   int
	user     string // Remote-User
	fullName string // Remote-Name
	groups   string // Remote-Groups
	log      string // what the log holds
	// then judges what follows when somebody signs in once more.
	then func(*testing.T, *provider, *upstream.Server, *browser.Page)
}

// gitHub is what GitHub's API says of Alice, but for some paths.
func gitHub(api string, change obj) obj {
	answers := obj{
		"/user":        obj{"id": 583231, "login": "octocat", "name": "Alice", "email": nil, "type": "User"},
		"/user/emails": []obj{{"email": "alice@example.com", "primary": true, "verified": true}, {"email": "x@example.com", "verified": false}},
		"/user/orgs":   []obj{{"login": "Acme"}},
		"/user/teams":  []obj{{"slug": "devs", "organization": obj{"login": "Acme"}}},

		"/applications/gatehouse/token": reply{status: 404, body: obj{"message": "Not Found", "status": "404"}},
	}
	maps.Copy(answers, change)
	full := obj{}
	for path, answer := range answers {
		full[api+path] = answer
	}
	return full
}

func scenarios() []scenario {
	verified := obj{"email": "alice@example.com", "email_verified": true, "name": "Alice"}
	with := func(base obj, more obj) obj {
		all := obj{}
		for _, o := range []obj{base, more} {
			maps.Copy(all, o)
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
		answer: obj{"scope": "read:org,read:user,user:email"},
		api:    gitHub("https://api.github.com", nil),
	}, nil, scenario{status: 200, user: "alice@example.com", fullName: "Alice", groups: "acme,acme/devs"})
	// A GitHub App: its tokens expire, and have permissions in place of scopes
	// (https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-user-access-token-for-a-github-app).
	gitHubApp := persona{
		issuer: "https://github.com", plain: true, auth: "post",
		answer: obj{"scope": "", "token_type": "bearer", "expires_in": 28800, "refresh_token": "ghr_1", "refresh_token_expires_in": 15811200},
	}
	add("github", "an App", gitHubApp, func(p *persona) { p.api = gitHub("https://api.github.com", nil) },
		scenario{status: 200, user: "alice@example.com", fullName: "Alice", groups: "acme,acme/devs"})
	add("github", "an App without the permission Members", gitHubApp, func(p *persona) {
		p.api = gitHub("https://api.github.com", obj{"/user/orgs": reply{status: 403, body: obj{"message": "Resource not accessible by integration"}}})
	}, scenario{status: 403, log: "the permissions to read e-mail addresses and members"})
	add("github", "an unverified address", gitHubApp, func(p *persona) {
		p.api = gitHub("https://api.github.com", obj{"/user/emails": []obj{{"email": "victim@example.com", "primary": true, "verified": false}}})
	}, scenario{status: 200, user: "github:583231", fullName: "Alice", groups: "acme,acme/devs"})
	add("github", "an Enterprise server", persona{
		issuer: "https://github.example.com", plain: true, auth: "post", scopes: []string{"read:user", "user:email", "read:org"},
		answer: obj{"scope": "read:org,read:user,user:email"}, api: gitHub("https://github.example.com/api/v3", nil),
	}, nil, scenario{block: 1, status: 200, user: "alice@example.com", fullName: "Alice", groups: "acme,acme/devs"})
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
	// The metadata of many tenants have a placeholder, as their keys do
	// (https://learn.microsoft.com/entra/identity-platform/access-tokens#validate-the-issuer).
	const authority = "https://login.microsoftonline.com/"
	tenants := persona{
		issuer: authority + "{tenantid}/v2.0", at: authority + "organizations/v2.0", auth: "post", keyIssuer: authority + "{tenantid}/v2.0",
		discovery: authority + "organizations/v2.0/.well-known/openid-configuration",
		idToken: obj{
			"iss": authority + tenant + "/v2.0", "tid": tenant, "name": "Alice", "email": "alice@example.com",
			"preferred_username": "alice@contoso.example", "roles": []string{"Staff"},
		},
	}
	said := func(more obj) func(*persona) { return func(p *persona) { p.idToken = with(p.idToken, more) } }
	add("entra", "several tenants, a role", tenants, nil, scenario{block: 1, status: 200, user: "alice@contoso.example", fullName: "Alice", groups: "Staff"})
	add("entra", "several tenants, without the role", tenants, said(obj{"roles": []string{"Guest"}}), scenario{block: 1, status: 403})
	add("entra", "several tenants, one that is not named", tenants, said(obj{"iss": authority + otherTenant + "/v2.0", "tid": otherTenant}),
		scenario{block: 1, status: 403, log: "its tenant (tid) is not among tenants"})
	add("entra", "several tenants, tid of another", tenants, said(obj{"iss": authority + otherTenant + "/v2.0"}),
		scenario{block: 1, status: 403, log: "its issuer is another"})
	add("entra", "several tenants, key of another", tenants, func(p *persona) { p.keyIssuer = authority + otherTenant + "/v2.0" },
		scenario{block: 1, status: 403, log: "no key of the provider verifies the signature"})
	add("keycloak", "roles of a client, in the access token", keycloak, func(p *persona) {
		p.access = obj{"azp": "gatehouse", "aud": "account", "resource_access": obj{"gatehouse": obj{"roles": []string{"operator"}}, "account": obj{"roles": []string{"view-profile"}}}}
	}, scenario{block: 1, status: 200, user: "alice@example.com", fullName: "Alice", groups: "operator"})
	add("keycloak", "roles of a client, by a mapper", keycloak, func(p *persona) {
		p.access = obj{"azp": "gatehouse", "aud": "account"} // a lightweight one
		p.userinfo = with(p.userinfo, obj{"resource_access": obj{"gatehouse": obj{"roles": []string{"operator"}}}})
	}, scenario{block: 1, status: 200, user: "alice@example.com", fullName: "Alice", groups: "operator"})
	add("keycloak", "roles of another client", keycloak, func(p *persona) {
		p.access = obj{"azp": "gatehouse", "aud": "account", "resource_access": obj{"grafana": obj{"roles": []string{"operator"}}}}
	}, scenario{block: 1, status: 403})
	add("keycloak", "userinfo of another person", keycloak, func(p *persona) {
		p.access = obj{"azp": "gatehouse", "aud": "account"}
		p.userinfo = obj{"sub": "subject-2", "resource_access": obj{"gatehouse": obj{"roles": []string{"operator"}}}}
	}, scenario{block: 1, status: 403, log: "it is of another user"})
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
		user:    `{"name":{"firstName":"Alice","lastName":"Liddell"},"email":"forged@example.com"}`, userOnce: true,
	}, nil, scenario{status: 200, user: "alice@example.com", fullName: "Alice Liddell", then: func(t *testing.T, p *provider, app *upstream.Server, again *browser.Page) {
		t.Helper()
		// The name comes once alone, and the secret is another each time.
		first, second := p.asked[0], p.last("/token")
		for _, r := range p.asked {
			if strings.HasSuffix(r.URL.Path, "/token") {
				first = r
				break
			}
		}
		last := app.Last(t)
		if again.Status != 200 || last.Header.Get("Remote-User") != "alice@example.com" || last.Header.Get("Remote-Name") != "" {
			t.Errorf("the second time: %d, %v", again.Status, last.Header)
		}
		if one := first.PostForm.Get("client_secret"); one == "" || one == second.PostForm.Get("client_secret") {
			t.Error("the client secret is the same the second time")
		}
	}})
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
	add("discord", "a member of the server", persona{
		issuer: "https://discord.com", plain: true, auth: "basic", scopes: []string{"identify", "email", "guilds"},
		userinfo: obj{"id": "80351110224678912", "username": "nelly", "global_name": "Nelly", "email": "nelly@example.com", "verified": true},
		api:      obj{"https://discord.com/api/users/@me/guilds": []obj{{"id": "197038439483310086", "name": "Acme", "icon": nil, "owner": false, "permissions": "36953089"}}},
	}, nil, scenario{block: 1, status: 200, user: "nelly@example.com", fullName: "Nelly", groups: "197038439483310086"})
	add("discord", "no member, of a server of that name", persona{
		issuer: "https://discord.com", plain: true, auth: "basic", scopes: []string{"identify", "email", "guilds"},
		userinfo: obj{"id": "80351110224678912", "username": "nelly", "global_name": "Nelly", "email": "nelly@example.com", "verified": true},
		api:      obj{"https://discord.com/api/users/@me/guilds": []obj{{"id": "1", "name": "197038439483310086", "owner": true}}},
	}, nil, scenario{block: 1, status: 403})
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
