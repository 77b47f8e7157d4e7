package oidc

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

// TestTenants: Microsoft Entra's metadata for many tenants have {tenantid} in their
// issuer, and a token's tid must fill it: an issuer that is only compared to a pattern
// lets any tenant in as any other.
func TestTenants(t *testing.T) {
	t.Parallel()
	const one, other = "5f1c9f4e-0000-4000-8000-3b1d2c7a9e55", "7e1c9f4e-0000-4000-8000-3b1d2c7a9e56"
	for name, tt := range map[string]struct {
		tid, iss any
		tenants  []string
		ok       bool
	}{
		"as it should":          {one, "/" + one + "/v2.0", nil, true},
		"of a named tenant":     {one, "/" + one + "/v2.0", []string{other, one}, true},
		"of a tenant not named": {one, "/" + one + "/v2.0", []string{other}, false},
		"tid of another":        {other, "/" + one + "/v2.0", nil, false},
		"no tid":                {nil, "/" + one + "/v2.0", nil, false},
		"tid is a path":         {"x/../" + one, "/x/../" + one + "/v2.0", nil, false},
		"the template itself":   {TenantPlaceholder, "/" + TenantPlaceholder + "/v2.0", nil, false},
		"tid is a number":       {7, "/7/v2.0", nil, false},
	} {
		o := newOP(t)
		template := o.URL + "/" + TenantPlaceholder + "/v2.0"
		o.metadata = func(m obj) { m["issuer"] = template }
		o.on("/organizations/v2.0/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
			r.URL.Path = discoveryPath
			o.serve(w, r)
		})
		o.claims = func(c obj) { c["tid"], c["iss"] = tt.tid, o.URL+tt.iss.(string) }
		p := o.client(func(c *Config) {
			c.Issuer, c.MetadataURL, c.Tenants = template, o.URL+"/organizations/v2.0/.well-known/openid-configuration", tt.tenants
		})
		result, err := signIn(t.Context(), p)
		if (err == nil) != tt.ok || err != nil && !errors.Is(err, provider.ErrResponse) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil {
			continue
		}
		if result.Claims.ID != one+"/u1" || result.Claims.Issuer != p.Issuer() {
			t.Errorf("%s: the identity is %s of %s", name, result.Claims.ID, result.Claims.Issuer)
		}
		for _, idToken := range []bool{true, false} {
			o.userinfo = obj{"sub": "u1", "name": "Alice B"}
			o.tokens = func(a obj) {
				if !idToken {
					delete(a, "id_token")
				}
			}
			again, err := p.Recheck(t.Context(), "rt", result.Claims)
			if err != nil || again.Claims.ID != result.Claims.ID {
				t.Errorf("%s: asked again, ID token %t: %q, %v", name, idToken, again.Claims.ID, err)
			}
		}
	}
}

// TestIdentityNamespace tells the people of two blocks with one issuer apart.
func TestIdentityNamespace(t *testing.T) {
	t.Parallel()
	o := newOP(t)
	p := o.client(func(c *Config) { c.IdentityNamespace = "staff" })
	result, err := signIn(t.Context(), p)
	if err != nil || result.Claims.Issuer != o.URL+"#staff" || p.Issuer() != result.Claims.Issuer {
		t.Fatalf("%+v, %v", result.Claims, err)
	}
	if _, err := p.Recheck(t.Context(), "rt", result.Claims); err != nil {
		t.Error(err)
	}
	result.Claims.Issuer = o.URL
	if _, err := p.Recheck(t.Context(), "rt", result.Claims); !errors.Is(err, provider.ErrGone) {
		t.Errorf("asked again for somebody of the other block: %v", err)
	}
}

// TestDomainClaim: at Google a verified address of a domain says nothing of the account,
// which may be a private one; hd does (oauth2-proxy#2363).
func TestDomainClaim(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		email string
		hd    any
		ok    bool
	}{
		"of the domain":              {"a@example.com", "example.com", true},
		"in another case":            {"a@Example.com", "example.COM", true},
		"a private account":          {"a@example.com", nil, false},
		"of another domain":          {"a@example.com", "evil.example", false},
		"hd is a list":               {"a@example.com", []string{"example.com"}, false},
		"gmail, which has none":      {"a@gmail.com", nil, true},
		"gmail in another Workspace": {"a@gmail.com", "evil.example", false},
	} {
		o := newOP(t)
		o.claims = func(c obj) { c["email"], c["hd"] = tt.email, tt.hd }
		p := o.client(func(c *Config) { c.DomainClaim, c.DomainsWithout = "hd", []string{"gmail.com"} })
		result, err := signIn(t.Context(), p)
		_, domain, _ := strings.Cut(tt.email, "@")
		if err != nil || result.Claims.HasDomain(domain) != tt.ok || !result.Claims.HasEmail(tt.email) {
			t.Errorf("%s: %+v, %v", name, result.Claims, err)
		}
	}
}

// TestGroupsInAccessToken: Keycloak says roles in the access token alone.
func TestGroupsInAccessToken(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		edit   func(obj)
		forged bool
		want   bool
	}{
		"as Keycloak does":  {nil, false, true},
		"of another user":   {func(c obj) { c["sub"] = "u2" }, false, false},
		"of another issuer": {func(c obj) { c["iss"] = "https://evil.example" }, false, false},
		"of another key":    {nil, true, false},
	} {
		o := newOP(t)
		access := obj{
			"iss": o.URL, "sub": "u1", "azp": "client", "aud": []string{"account"}, "acr": "forged",
			"realm_access": obj{"roles": []string{"admin"}}, "resource_access": obj{"my.client": obj{"roles": []string{"viewer"}}},
		}
		apply(tt.edit, access)
		key := o.key
		if tt.forged {
			key, _ = newClientKey(t)
		}
		o.claims = func(c obj) { delete(c, "groups") }
		o.userinfo = obj{"sub": "u1"}
		o.tokens = func(a obj) { a["access_token"] = signed(t, jose.ES256, key, marshal(t, access), obj{"kid": "1"}) }
		for claim, group := range map[string]string{"realm_access.roles": "admin", "resource_access.my.client.roles": "viewer"} {
			p := o.client(func(c *Config) { c.GroupsInAccessToken, c.GroupsClaim, c.Logger = true, claim, discard })
			p.SetNeeds(identity.Needs{Groups: identity.Judged})
			result, err := signIn(t.Context(), p)
			c := result.Claims
			if err != nil || (strings.Join(c.Groups, " ") == group) != tt.want || c.IsUnread(identity.ClaimGroups) == tt.want || c.ACR != "" || len(c.Extra) > 0 {
				t.Errorf("%s, %s: %+v, %v", name, claim, c, err)
			}
		}
	}
}

// TestOverage: the groups of somebody who has too many are fetched from the configured
// address, and never from the one in the token.
func TestOverage(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status int
		body   string
		want   string
		cause  identity.Cause
	}{
		"all of them": {200, `{"value":["a","b"]}`, "a b", ""},
		"a part":      {200, `{"value":["a"],"@odata.nextLink":"https://evil.example/"}`, "", identity.CauseElsewhere},
		"refused":     {403, `{}`, "", identity.CauseElsewhere},
		"no list":     {200, `{"value":"a"}`, "", identity.CauseElsewhere},
	} {
		o := newOP(t)
		o.on("/graph", func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodPost || r.Header.Get("Authorization") != "Bearer at" {
				t.Errorf("%s: asked by %s with %q", name, r.Method, r.Header.Get("Authorization"))
			}
			w.WriteHeader(tt.status)
			_, _ = w.Write([]byte(tt.body))
		})
		o.on("/evil", func(http.ResponseWriter, *http.Request) { t.Errorf("%s: what the token names was asked", name) })
		o.claims = func(c obj) {
			delete(c, "groups")
			c["_claim_names"], c["_claim_sources"] = obj{"groups": "src1"}, obj{"src1": obj{"endpoint": o.URL + "/evil"}}
		}
		o.userinfo = obj{"sub": "u1"}
		p := o.client(func(c *Config) { c.GroupsOverageURL, c.Logger = o.URL+"/graph", discard })
		p.SetNeeds(identity.Needs{Groups: identity.Judged})
		result, err := signIn(t.Context(), p)
		if err != nil || strings.Join(result.Claims.Groups, " ") != tt.want || result.Claims.Unread[identity.ClaimGroups] != tt.cause {
			t.Errorf("%s: %+v, %v", name, result.Claims, err)
		}
	}
}

// TestPlain: OAuth 2.0 without OpenID Connect, as Discord has it.
func TestPlain(t *testing.T) {
	t.Parallel()
	plain := func(o *op) *Provider {
		return o.client(func(c *Config) {
			c.Plain, c.Endpoints = true, Endpoints{Authorization: o.URL + "/auth", Token: o.URL + "/token", UserInfo: o.URL + "/userinfo"}
			c.ClaimNames = map[string]string{"sub": "id", "email_verified": "verified", "groups": "org.teams", "preferred_username": "login"}
			c.UserClaim, c.Scopes = "preferred_username", []string{"identify"}
		})
	}
	o := newOP(t)
	o.tokens = func(a obj) { delete(a, "id_token") }
	o.userinfo = obj{"id": 80351110224678912, "login": "nelly", "email": "n@example.com", "verified": true, "sub": "somebody else", "org": obj{"teams": []string{"devs"}}}
	p := plain(o)
	result, err := signIn(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	if c := result.Claims; c.ID != "80351110224678912" || c.User != "nelly" || !c.HasEmail("n@example.com") || strings.Join(c.Groups, " ") != "devs" || c.Issuer != o.URL {
		t.Errorf("signed in %+v", c)
	}
	if again, err := p.Recheck(t.Context(), "rt", result.Claims); err != nil || again.Claims.ID != result.Claims.ID {
		t.Errorf("asked again: %+v, %v", again.Claims, err)
	}
	o.userinfo = obj{"id": "7", "login": "eve"}
	if _, err := p.Recheck(t.Context(), "rt", result.Claims); !errors.Is(err, provider.ErrResponse) && !errors.Is(err, provider.ErrGone) {
		t.Errorf("asked again, and told of another: %v", err)
	}
	for name, info := range map[string]any{"no id": obj{"login": "x"}, "id is an object": obj{"id": obj{}}, "a list": []any{}} {
		o.userinfo = info
		if _, err := signIn(t.Context(), plain(o)); !errors.Is(err, provider.ErrResponse) {
			t.Errorf("%s: %v", name, err)
		}
	}
	request := authRequest()
	request.Prompt, request.MaxAge = "login", -1
	if _, err := p.AuthURL(t.Context(), request); !errors.Is(err, provider.ErrReauthentication) {
		t.Errorf("asked to sign somebody in again: %v", err)
	}
}

// TestPlain_VerdictIsNamed: what an answer says of one address is no verdict on another
// that is read of another member; the claim must be named.
func TestPlain_VerdictIsNamed(t *testing.T) {
	t.Parallel()
	o := newOP(t)
	o.tokens = func(a obj) { delete(a, "id_token") }
	o.userinfo = obj{"id": 1, "contact": "victim@example.com", "email": "eve@example.net", "email_verified": true}
	for verdict, verified := range map[string]bool{"": false, "email_verified": true} {
		p := o.client(func(c *Config) {
			c.Plain, c.Endpoints = true, Endpoints{Authorization: o.URL + "/auth", Token: o.URL + "/token", UserInfo: o.URL + "/userinfo"}
			c.ClaimNames = map[string]string{"sub": "id", "email": "contact"}
			if verdict != "" {
				c.ClaimNames["email_verified"] = verdict
			}
		})
		result, err := signIn(t.Context(), p)
		if c := result.Claims; err != nil || c.Email != "victim@example.com" || c.EmailVerified != verified {
			t.Errorf("verdict %q: %+v, %v", verdict, c, err)
		}
	}
}

// TestAppleUser: the name that comes by way of the browser is shown, and decides
// nothing.
func TestAppleUser(t *testing.T) {
	t.Parallel()
	for user, want := range map[string]string{
		`{"name":{"firstName":"Ada","lastName":"King"},"email":"forged@example.com"}`: "Ada King",
		`{"name":{"firstName":"Ada"}}`:       "Ada",
		`{"name":{"firstName":"A\u0000da"}}`: "",
		`{"name":7}`:                         "",
		``:                                   "",
	} {
		o := newOP(t)
		o.claims = func(c obj) { delete(c, "name") }
		c := callback()
		c.User = user
		result, err := o.client(func(c *Config) { c.UserParameter = true }).Exchange(t.Context(), c)
		if err != nil || result.Claims.Name != want || result.Claims.Email != "Alice@Example.com" {
			t.Errorf("%s: %+v, %v", user, result.Claims, err)
		}
	}
}

func FuzzNameIn(f *testing.F) {
	f.Add(`{"name":{"firstName":"Ada","lastName":"King"}}`)
	f.Add(`{"name":{"firstName":"\u0000"}}`)
	f.Add(`null`)
	f.Fuzz(func(t *testing.T, user string) {
		if name := nameIn(user); len(name) > maxValue || strings.ContainsAny(name, "\r\n\x00") {
			t.Fatalf("%q has the name %q", user, name)
		}
	})
}

// FuzzUserInfo: members by other names are read as strictly as claims, and what the
// answer itself calls a claim of another name is not it.
func FuzzUserInfo(f *testing.F) {
	f.Add([]byte(`{"id":7,"sub":"x","email":"a@example.com","data":{"ok":true}}`))
	f.Add([]byte(`{"id":"a\u0000","verified":"true"}`))
	f.Add([]byte(`[]`))
	p := &Provider{config: Config{Plain: true, ClaimNames: map[string]string{"sub": "id", "email_verified": "data.ok"}}}
	f.Fuzz(func(t *testing.T, body []byte) {
		info, err := p.parseUserInfo(body)
		if err != nil {
			return
		}
		plain, err := parseClaims(body)
		if err != nil {
			t.Fatal(err)
		}
		raw, at := plain.lookup("id")
		want := string(raw)
		switch {
		case at != foundValue:
			want = ""
		case isDigits(raw):
			want = string(quoted(want))
		}
		if got := string(info["sub"]); got != want {
			t.Fatalf("the subject of %s is %s", body, got)
		}
	})
}
