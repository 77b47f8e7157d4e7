package oidc

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

var (
	judgedGroups = identity.Needs{Groups: identity.Judged}
	shownAll     = identity.Needs{User: identity.Shown, Email: identity.Shown, Name: identity.Shown, Groups: identity.Shown}
)

// TestUserInfoIsAskedWhenNeeded: what the configuration needs is fetched by one
// request, and none is made when it is all there (oauth2-proxy#1281, argo-cd#5944,
// kubelogin#1129).
func TestUserInfoIsAskedWhenNeeded(t *testing.T) {
	t.Parallel()
	without := func(names ...string) func(obj) {
		return func(c obj) {
			for _, name := range names {
				c[name] = nil
			}
		}
	}
	for _, tt := range []struct {
		name     string
		needs    identity.Needs
		config   func(*Config)
		metadata func(obj)
		claims   func(obj)
		want     int64
	}{
		{"all is there", judgedGroups.Join(shownAll), nil, nil, nil, 0},
		{"groups are missing, a rule is about them", judgedGroups, nil, nil, without("groups"), 1},
		{"groups are null, a rule is about them", judgedGroups, nil, nil, func(c obj) { c["groups"] = []string(nil) }, 1},
		{"groups are empty", judgedGroups, nil, nil, func(c obj) { c["groups"] = []string{} }, 0},
		{"groups are missing, nothing needs them", identity.Needs{}, nil, nil, without("groups"), 0},
		{"groups are missing, and shown", shownAll, nil, nil, without("groups"), 0},
		{"groups are missing, shown, and advertised", shownAll, nil, func(m obj) { m["claims_supported"] = []string{"groups"} }, without("groups"), 1},
		{"groups are missing, shown, and asked for", shownAll, func(c *Config) { c.Scopes = []string{"email", "groups"} }, nil, without("groups"), 1},
		{"groups are missing, shown, and named", shownAll, func(c *Config) { c.GroupsClaim = "roles" }, nil, without("groups"), 1},
		{"groups are missing, advertised, not needed", identity.Needs{}, nil, func(m obj) { m["claims_supported"] = []string{"groups"} }, without("groups"), 0},
		{"groups are told elsewhere", judgedGroups, nil, nil, func(c obj) {
			c["groups"], c["_claim_names"], c["_claim_sources"] = nil, obj{"groups": "s"}, obj{"s": obj{"endpoint": "https://sso.example/"}}
		}, 0},
		{"groups are of another shape", judgedGroups, nil, nil, func(c obj) { c["groups"] = obj{"x": true} }, 0},
		{"the name is missing, and shown", shownAll, nil, nil, without("name"), 1},
		{"the name is missing, not asked for", shownAll, func(c *Config) { c.Scopes = []string{"email"} }, nil, without("name"), 0},
		{"the name is missing, not needed", judgedGroups, nil, nil, without("name"), 0},
		{"the address is missing, as the name of the user", identity.Needs{}, nil, nil, without("email"), 1},
		{"the address is missing, not asked for", identity.Needs{}, func(c *Config) { c.Scopes = []string{"profile"} }, nil, without("email"), 0},
		{"the address is missing, a rule is about it", identity.Needs{Email: identity.Judged}, func(c *Config) { c.Scopes = []string{"profile"} }, nil, without("email"), 1},
		{"the user claim is missing", identity.Needs{}, func(c *Config) { c.UserClaim = "uid" }, nil, nil, 1},
		{"all is missing", judgedGroups.Join(shownAll), nil, nil, without("groups", "email", "name"), 1},
		{"always", identity.Needs{}, func(c *Config) { c.UserInfo = UserInfoAlways }, nil, nil, 1},
		{"never", judgedGroups.Join(shownAll), func(c *Config) { c.UserInfo = UserInfoNever }, nil, without("groups", "email", "name"), 0},
		{"no endpoint", judgedGroups, nil, func(m obj) { delete(m, "userinfo_endpoint") }, without("groups"), 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := newOP(t)
			o.metadata, o.claims = tt.metadata, tt.claims
			o.userinfo = obj{"sub": "u1", "name": "Info", "email": "info@example.com", "email_verified": true, "groups": []string{"info"}, "roles": []string{"r"}, "uid": "al"}
			p := o.client(tt.config)
			p.SetNeeds(tt.needs)
			got, err := signIn(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			if n := o.userinfoFetches(); n != tt.want {
				t.Errorf("userinfo was asked %d times, want %d: %+v", n, tt.want, got.Claims)
			}
			again, err := p.Recheck(t.Context(), "rt", got.Claims)
			if err != nil {
				t.Fatal(err)
			}
			if n := o.userinfoFetches(); n != 2*tt.want {
				t.Errorf("after a recheck userinfo was asked %d times, want %d", n, 2*tt.want)
			}
			if diff := cmp.Diff(got.Claims, again.Claims); diff != "" {
				t.Errorf("the recheck has other claims: %s", diff)
			}
		})
	}
}

// TestHintGroups: an operator whose rule is about groups that the provider never says
// is told so, once.
func TestHintGroups(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		needs  identity.Needs
		groups any
		want   int
	}{
		{judgedGroups, nil, 1},
		{judgedGroups, []string{}, 0},
		{shownAll, nil, 0},
	} {
		o := newOP(t)
		o.claims, o.userinfo = func(c obj) { c["groups"] = tt.groups }, obj{"sub": "u1"}
		var log strings.Builder
		p := o.client(func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		p.SetNeeds(tt.needs)
		for range 3 {
			if _, err := signIn(t.Context(), p); err != nil {
				t.Fatal(err)
			}
		}
		if got := strings.Count(log.String(), "said nothing of them"); got != tt.want {
			t.Errorf("needs %+v, groups %v: said %d times, want %d", tt.needs, tt.groups, got, tt.want)
		}
	}
}

// TestUserInfoFails: what nobody says is not known to rules, and a sign-in that
// needs none of it goes on (oauth2-proxy#2261, vouch#563).
func TestUserInfoFails(t *testing.T) {
	t.Parallel()
	answer := func(status int, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
			_, _ = w.Write([]byte(`{"sub":"u1"}`))
		}
	}
	cut := func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = conn.Close()
		}
	}
	page := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<h1>Sign in</h1>"))
	}
	noEmail := func(c obj) { c["email"], c["email_verified"] = nil, nil }
	noGroups := func(c obj) { c["groups"] = nil }
	for _, tt := range []struct {
		name   string
		needs  identity.Needs
		config func(*Config)
		claims func(obj)
		handle http.HandlerFunc
		want   error
		unread map[string]identity.Cause
	}{
		{"401, the address", identity.Needs{}, nil, noEmail, answer(401), nil, map[string]identity.Cause{"email": "refused"}},
		{"403, the address", identity.Needs{}, nil, noEmail, answer(403), nil, map[string]identity.Cause{"email": "refused"}},
		{"404, the address", identity.Needs{}, nil, noEmail, answer(404), nil, map[string]identity.Cause{"email": "refused"}},
		{"403, groups that a rule is about", judgedGroups, nil, noGroups, answer(403), nil, map[string]identity.Cause{"groups": "refused"}},
		{"403, but all is there", judgedGroups, func(c *Config) { c.UserInfo = UserInfoAlways }, nil, answer(403), nil, nil},
		{"403, the user claim", identity.Needs{}, func(c *Config) { c.UserClaim = "uid" }, nil, answer(403), provider.ErrWithheld, nil},
		{"403, the address as the user claim", identity.Needs{}, func(c *Config) { c.UserClaim = "email" }, noEmail, answer(403), provider.ErrWithheld, nil},
		{"too often", judgedGroups, nil, noGroups, answer(429), provider.ErrUnavailable, nil},
		{"403 for now", judgedGroups, nil, noGroups, answer(403, "Retry-After", "5"), provider.ErrUnavailable, nil},
		{"503, groups that a rule is about", judgedGroups, nil, noGroups, answer(503), provider.ErrUnavailable, nil},
		{"503, the user's name", identity.Needs{}, nil, noEmail, answer(503), provider.ErrUnavailable, nil},
		{"cut off, groups that a rule is about", judgedGroups, nil, noGroups, cut, provider.ErrUnavailable, nil},
		{"cut off, groups that are shown", shownAll, func(c *Config) { c.Scopes = []string{"email", "groups"} }, noGroups, cut, nil, map[string]identity.Cause{"groups": "unavailable"}},
		{"503, the name that is shown", shownAll, nil, func(c obj) { c["name"] = nil }, answer(503), nil, nil},
		{"a redirect", judgedGroups, nil, noGroups, answer(302, "Location", "/elsewhere"), nil, map[string]identity.Cause{"groups": "refused"}},
		{"a page for people", judgedGroups, nil, noGroups, page, nil, map[string]identity.Cause{"groups": "refused"}},
		{"a page, the user claim", identity.Needs{}, func(c *Config) { c.UserClaim = "uid" }, nil, page, provider.ErrWithheld, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := newOP(t)
			o.claims = tt.claims
			o.on("/userinfo", tt.handle)
			p := o.client(tt.config)
			p.SetNeeds(tt.needs)
			got, err := signIn(t.Context(), p)
			if !errors.Is(err, tt.want) {
				t.Fatalf("Exchange() = %v, want %v", err, tt.want)
			}
			if tt.want == nil {
				if diff := cmp.Diff(tt.unread, got.Claims.Unread); diff != "" {
					t.Error(diff)
				}
				if tt.unread["email"] != "" && got.Claims.User != "sso:u1" {
					t.Errorf("the user is called %q", got.Claims.User)
				}
			}
			if n := o.userinfoFetches(); n != 1 && !strings.HasPrefix(tt.name, "cut off") { // net/http tries a lost connection again
				t.Errorf("userinfo was asked %d times", n)
			}
		})
	}
}

// TestRecheckForgetsNothing: who was in a group that is denied is not let in because
// a refresh says less than the sign-in did.
func TestRecheckForgetsNothing(t *testing.T) {
	t.Parallel()
	was := func(edit func(*identity.Claims)) identity.Claims {
		c := identity.Claims{
			Provider: "sso", ID: "u1", User: "alice@example.com", Email: "alice@example.com", EmailVerified: true, Name: "Alice",
			Groups: []string{"contractors"},
		}
		if edit != nil {
			edit(&c)
		}
		return c
	}
	unread := func(cause identity.Cause, claims ...string) func(*identity.Claims) {
		return func(c *identity.Claims) {
			for _, claim := range claims {
				c.SetUnread(claim, cause)
			}
			if c.IsUnread(identity.ClaimGroups) {
				c.Groups = nil
			}
		}
	}
	thin := func(c obj) { c["email"], c["email_verified"], c["name"], c["groups"] = nil, nil, nil, nil }
	for _, tt := range []struct {
		name   string
		config func(*Config)
		was    identity.Claims
		claims func(obj) // nil: no ID token
		info   any       // an int is a status
		want   identity.Claims
		err    error
	}{
		{"nothing is told again", nil, was(nil), thin, obj{"sub": "u1"}, was(unread("untold", "email", "groups")), nil},
		{"nothing, without an ID token", nil, was(nil), nil, obj{"sub": "u1"}, was(unread("untold", "email", "groups")), nil},
		{"userinfo refuses", nil, was(nil), nil, 403, was(unread("refused", "email", "groups")), nil},
		{"userinfo refuses what the ID token lacks", nil, was(nil), thin, 401, was(unread("refused", "email", "groups")), nil},
		{"userinfo is down", nil, was(nil), nil, 503, was(nil), provider.ErrUnavailable},
		{"userinfo is never asked", func(c *Config) { c.UserInfo = UserInfoNever }, was(nil), nil, 403, was(nil), nil},
		{"it says that there are none", nil, was(nil), nil, obj{"sub": "u1", "email": "alice@example.com", "email_verified": true, "name": "Alice", "groups": nil}, was(func(c *identity.Claims) { c.Groups = nil }), nil},
		{"groups of another shape", nil, was(nil), nil, obj{"sub": "u1", "email": "alice@example.com", "email_verified": true, "groups": obj{"x": 1}}, was(unread("shape", "groups")), nil},
		{"groups elsewhere", nil, was(nil), nil, obj{"sub": "u1", "email": "alice@example.com", "email_verified": true, "_claim_names": obj{"groups": "s"}}, was(unread("elsewhere", "groups")), nil},
		{"what could not be read can now", nil, was(unread("shape", "groups")), nil, obj{"sub": "u1", "email": "alice@example.com", "email_verified": true, "groups": []string{"contractors"}}, was(nil), nil},
		{"what could not be read is not told again", nil, was(unread("shape", "groups")), nil, obj{"sub": "u1", "email": "alice@example.com", "email_verified": true}, was(unread("shape", "groups")), nil},
		{"another name for the user, not told again", func(c *Config) { c.UserClaim = "uid" }, was(func(c *identity.Claims) { c.User = "al" }), nil, obj{"sub": "u1", "email": "alice@example.com", "email_verified": true, "groups": []string{"contractors"}}, was(func(c *identity.Claims) { c.User = "al" }), nil},
		{"another name for the user, unfit", func(c *Config) { c.UserClaim = "uid" }, was(func(c *identity.Claims) { c.User = "al" }), nil, obj{"sub": "u1", "uid": 7}, was(func(c *identity.Claims) { c.User = "al" }), provider.ErrGone},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := newOP(t)
			o.claims, o.userinfo = tt.claims, tt.info
			if tt.claims == nil {
				o.tokens = func(a obj) { delete(a, "id_token") }
			}
			if status, ok := tt.info.(int); ok {
				o.on("/userinfo", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
			}
			p := o.client(tt.config)
			p.SetNeeds(judgedGroups)
			tt.was.Issuer, tt.want.Issuer = o.URL, o.URL
			got, err := p.Recheck(t.Context(), "rt", tt.was)
			if !errors.Is(err, tt.err) {
				t.Fatalf("Recheck() = %v, want %v", err, tt.err)
			}
			if diff := cmp.Diff(tt.want, got.Claims); diff != "" {
				t.Error(diff)
			}
			if n := o.userinfoFetches(); n > 1 {
				t.Errorf("userinfo was asked %d times", n)
			}
		})
	}
}

// TestSignedUserInfo (outline#12878): a signed answer is read, once it is verified
// (OpenID Connect Core, sections 5.3.2 and 5.3.4).
func TestSignedUserInfo(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		claims func(o *op, c obj)
		header obj
		key    bool // another key
		kind   string
		ok     bool
	}{
		{"signed", nil, obj{"kid": "1"}, false, "application/jwt", true},
		{"signed, by a longer name", nil, obj{"kid": "1"}, false, "application/jwt; charset=utf-8", true},
		{"for us", func(o *op, c obj) { c["iss"], c["aud"] = o.URL, "client" }, obj{"kid": "1"}, false, "application/jwt", true},
		{"for another client", func(o *op, c obj) { c["iss"], c["aud"] = o.URL, "other" }, obj{"kid": "1"}, false, "application/jwt", false},
		{"of another issuer", func(_ *op, c obj) { c["iss"], c["aud"] = "https://evil.example", "client" }, obj{"kid": "1"}, false, "application/jwt", false},
		{"of another user", func(_ *op, c obj) { c["sub"] = "u2" }, obj{"kid": "1"}, false, "application/jwt", false},
		{"expired", func(_ *op, c obj) { c["exp"] = 1 }, obj{"kid": "1"}, false, "application/jwt", false},
		{"another key", nil, obj{"kid": "1"}, true, "application/jwt", false},
		{"another type", nil, obj{"kid": "1", "typ": "at+jwt"}, false, "application/jwt", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := newOP(t)
			o.claims = func(c obj) { c["groups"] = nil }
			info := obj{"sub": "u1", "groups": []string{"staff"}}
			if tt.claims != nil {
				tt.claims(o, info)
			}
			key := o.key
			if tt.key {
				key = newOP(t).key
			}
			o.on("/userinfo", func(w http.ResponseWriter, r *http.Request) {
				if !strings.Contains(r.Header.Get("Accept"), "application/jwt") {
					t.Error("a signed answer is not asked for")
				}
				w.Header().Set("Content-Type", tt.kind)
				_, _ = w.Write([]byte(signed(t, jose.ES256, key, marshal(t, info), tt.header)))
			})
			p := o.client(nil)
			p.SetNeeds(judgedGroups)
			got, err := signIn(t.Context(), p)
			switch {
			case !tt.ok && !errors.Is(err, provider.ErrResponse):
				t.Errorf("Exchange() = %+v, %v, want ErrResponse", got.Claims, err)
			case tt.ok && (err != nil || !got.Claims.InGroup("staff")):
				t.Errorf("Exchange() = %+v, %v", got.Claims, err)
			}
		})
	}
}
