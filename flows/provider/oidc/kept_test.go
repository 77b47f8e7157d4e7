package oidc

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

func unread(names ...string) map[string]identity.Cause {
	causes := map[string]identity.Cause{}
	for i := 0; i < len(names); i += 2 {
		causes[identity.KeptClaim(names[i])] = identity.Cause(names[i+1])
	}
	return causes
}

// TestKeptClaims: a claim is found by its name, else by a path, in the ID token and
// else in userinfo; what is too large or elsewhere is not known, and says so.
func TestKeptClaims(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		kept   []string
		claims func(obj)
		extra  map[string]any
		unread map[string]identity.Cause
	}{
		{"a name", []string{"department"}, func(c obj) { c["department"] = "physics" }, obj{"department": "physics"}, nil},
		{"a namespaced name", []string{"https://example.com/roles"}, func(c obj) { c["https://example.com/roles"] = []string{"x"} }, obj{"https://example.com/roles": []any{"x"}}, nil},
		{"a path", []string{"realm_access.roles"}, func(c obj) { c["realm_access"] = obj{"roles": []string{"x"}} }, obj{"realm_access.roles": []any{"x"}}, nil},
		{"a path to what is no object", []string{"a.b"}, func(c obj) { c["a"] = "b" }, nil, unread("a.b", "shape")},
		{"an object", []string{"address"}, func(c obj) { c["address"] = obj{"country": "CH"} }, obj{"address": obj{"country": "CH"}}, nil},
		{"null", []string{"a"}, func(c obj) { c["a"] = []string(nil) }, nil, nil},
		{"userinfo", []string{"office"}, nil, obj{"office": "B1"}, nil},
		{"nowhere", []string{"nothing"}, nil, nil, nil},
		{"64 KiB", []string{"a", "b"}, func(c obj) { c["a"], c["b"] = strings.Repeat("x", 64<<10), "b" }, obj{"b": "b"}, unread("a", "size")},
		{"too much in all", []string{"a", "b"}, func(c obj) { c["a"], c["b"] = strings.Repeat("x", 4000), strings.Repeat("y", 3000) }, obj{"a": strings.Repeat("x", 4000)}, unread("b", "size")},
		{"elsewhere", []string{"a"}, func(c obj) {
			c["_claim_names"], c["_claim_sources"] = obj{"a": "s"}, obj{"s": obj{"endpoint": "https://sso.example/"}}
		}, nil, unread("a", "elsewhere")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := newOP(t)
			o.claims, o.userinfo = tt.claims, obj{"sub": "u1", "office": "B1"}
			var log bytes.Buffer
			p := o.client(func(c *Config) {
				c.ExtraClaims, c.Logger = tt.kept, slog.New(slog.NewTextHandler(&log, nil))
			})
			got, err := signIn(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.extra, got.Claims.Extra); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tt.unread, got.Claims.Unread); diff != "" {
				t.Error(diff)
			}
			if strings.Contains(log.String(), "cure=") != (tt.unread != nil) {
				t.Errorf("the log says %s", log.String())
			}
			if log.Len() > 2000 {
				t.Errorf("the log has the claim")
			}
		})
	}
}

// TestKeptClaims_AccessToken: Keycloak puts roles into the access token alone. It
// counts only as a JWT of the provider's for this user.
func TestKeptClaims_AccessToken(t *testing.T) {
	t.Parallel()
	good := func(o *op) obj {
		return obj{"iss": o.URL, "sub": "u1", "exp": o.clock.Unix() + 300, "realm_access": obj{"roles": []string{"admin"}}, "department": "no"}
	}
	for _, tt := range []struct {
		name   string
		token  func(o *op) string
		groups []string
		cause  identity.Cause
	}{
		{"signed", func(o *op) string {
			return signed(o.t, jose.ES256, o.key, marshal(o.t, good(o)), obj{"kid": "1", "typ": "at+jwt"})
		}, []string{"admin"}, ""},
		{"without the claim", func(o *op) string {
			c := good(o)
			delete(c, "realm_access")
			return signed(o.t, jose.ES256, o.key, marshal(o.t, c), obj{"kid": "1"})
		}, nil, ""},
		{"opaque", func(*op) string { return "opaque" }, nil, identity.CauseShape},
		{"of another user", func(o *op) string {
			c := good(o)
			c["sub"] = "u2"
			return signed(o.t, jose.ES256, o.key, marshal(o.t, c), obj{"kid": "1"})
		}, nil, identity.CauseShape},
		{"of another issuer", func(o *op) string {
			c := good(o)
			c["iss"] = "https://evil.example"
			return signed(o.t, jose.ES256, o.key, marshal(o.t, c), obj{"kid": "1"})
		}, nil, identity.CauseShape},
		{"expired", func(o *op) string {
			c := good(o)
			c["exp"] = o.clock.Unix() - 300
			return signed(o.t, jose.ES256, o.key, marshal(o.t, c), obj{"kid": "1"})
		}, nil, identity.CauseShape},
		{"by another key", func(o *op) string {
			return signed(o.t, jose.ES256, newOP(o.t).key, marshal(o.t, good(o)), obj{"kid": "1"})
		}, nil, identity.CauseShape},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := newOP(t)
			o.tokens = func(a obj) { a["access_token"] = tt.token(o) }
			o.userinfo = obj{"sub": "u1", "realm_access": obj{"roles": []string{"from-userinfo"}}}
			p := o.client(func(c *Config) {
				c.AccessTokenClaims, c.ExtraClaims, c.GroupsClaim = []string{"realm_access.roles"}, []string{"department"}, "realm_access.roles"
			})
			p.SetNeeds(identity.Needs{Groups: identity.Judged, Claims: identity.Judged})
			got, err := signIn(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.groups, got.Claims.Groups); diff != "" {
				t.Error(diff)
			}
			if got.Claims.Unread[identity.ClaimGroups] != tt.cause || got.Claims.Unread[identity.KeptClaim("realm_access.roles")] != tt.cause {
				t.Errorf("not known: %v, want the cause %q", got.Claims.Unread, tt.cause)
			}
			if got.Claims.Extra["department"] != nil {
				t.Error("a claim that is not to be read from the access token is")
			}
		})
	}
}

// TestKeptClaims_Recheck: what a refresh does not tell again is shown as it was, and
// no rule relies on it.
func TestKeptClaims_Recheck(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		claims func(obj)
		info   obj
		extra  map[string]any
		unread map[string]identity.Cause
	}{
		{"another value", func(c obj) { c["department"] = "chemistry" }, obj{"sub": "u1"}, obj{"department": "chemistry"}, nil},
		{"told by userinfo", nil, obj{"sub": "u1", "department": "chemistry"}, obj{"department": "chemistry"}, nil},
		{"untold", nil, obj{"sub": "u1"}, obj{"department": "physics"}, unread("department", "untold")},
		{"none", nil, obj{"sub": "u1", "department": nil}, nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := newOP(t)
			o.claims, o.userinfo = tt.claims, tt.info
			was := identity.Claims{Provider: "sso", Issuer: o.URL, ID: "u1", User: "x", Extra: obj{"department": "physics"}}
			p := o.client(func(c *Config) { c.ExtraClaims = []string{"department"} })
			got, err := p.Recheck(t.Context(), "rt", was)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.extra, got.Claims.Extra); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tt.unread, got.Claims.Unread); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestKeptClaims_Names(t *testing.T) {
	t.Parallel()
	for name, ok := range map[string]bool{
		"department": true, "preferred_username": true, "name": true, "https://example.com/x": true,
		"email": false, "email_verified": false, "sub": false, "iss": false, "acr": false, "exp": false, "_claim_names": false,
		"": false, "a\nb": false, strings.Repeat("x", 300): false,
	} {
		if err := CheckKept(name); (err == nil) != ok {
			t.Errorf("CheckKept(%.20q) = %v", name, err)
		}
	}
	c := Config{ExtraClaims: []string{"a"}, AccessTokenClaims: []string{"a"}}
	if c.checkKept() == nil {
		t.Error("a claim is read from two places")
	}
	c = Config{}
	for i := range maxKept + 1 {
		c.ExtraClaims = append(c.ExtraClaims, fmt.Sprint("claim", i))
	}
	if c.checkKept() == nil {
		t.Error("any number of claims is kept")
	}
}
