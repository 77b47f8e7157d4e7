package oidc

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/provider/outbound"
)

func TestIdentify(t *testing.T) {
	t.Parallel()
	many := func(n int) []string {
		out := make([]string, n)
		for i := range out {
			out[i] = fmt.Sprint("g", i)
		}
		return out
	}
	for _, tt := range []struct {
		name   string
		config func(*Config)
		claims func(obj)
		check  func(c identity.Claims) bool // nil: refused
	}{
		{
			"e-mail unverified", nil, func(c obj) { c["email_verified"] = false },
			func(c identity.Claims) bool { return !c.EmailVerified && c.Email != "" && c.User == "sso:u1" },
		},
		{
			`email_verified "false"`, nil, func(c obj) { c["email_verified"] = "false" },
			func(c identity.Claims) bool { return !c.EmailVerified && c.User == "sso:u1" },
		},
		{
			"email_verified 1", nil, func(c obj) { c["email_verified"] = 1 },
			func(c identity.Claims) bool { return !c.EmailVerified },
		},
		{
			`email_verified "true"`, nil, func(c obj) { c["email_verified"] = "true" },
			func(c identity.Claims) bool { return c.EmailVerified },
		},
		{
			"email_verified missing", nil, func(c obj) { c["email_verified"] = nil },
			func(c identity.Claims) bool { return !c.EmailVerified && c.User == "sso:u1" },
		},
		{
			"missing but trusted", func(c *Config) { c.TrustEmail = []string{"example.com"} }, func(c obj) { c["email_verified"] = nil },
			func(c identity.Claims) bool { return c.EmailVerified },
		},
		{
			"false is not trusted", func(c *Config) { c.TrustEmail = []string{"example.com"} }, func(c obj) { c["email_verified"] = false },
			func(c identity.Claims) bool { return !c.EmailVerified },
		},
		{
			"malformed e-mail names nobody", nil, func(c obj) { c["email"] = "a@evil.com@corp.com" },
			func(c identity.Claims) bool { return c.VerifiedDomain() == "" && c.User == "sso:u1" },
		},
		{
			"e-mail with NUL", nil, func(c obj) { c["email"] = "a@corp.com\x00" },
			func(c identity.Claims) bool {
				return c.Email == "" && !c.EmailVerified && c.Unread[identity.ClaimEmail] == identity.CauseShape
			},
		},
		{
			"e-mail array", nil, func(c obj) { c["email"] = []string{"a@corp.com"} },
			func(c identity.Claims) bool {
				return c.Email == "" && c.Unread[identity.ClaimEmail] == identity.CauseShape
			},
		},
		{
			"e-mail is a number", nil, func(c obj) { c["email"] = 7 },
			func(c identity.Claims) bool { return c.IsUnread(identity.ClaimEmail) && c.User == "sso:u1" },
		},
		{
			"e-mail is told elsewhere", nil, func(c obj) {
				c["email"], c["_claim_names"], c["_claim_sources"] = nil, obj{"email": "src"}, obj{"src": obj{"endpoint": "https://sso.example/fetch-me"}}
			},
			func(c identity.Claims) bool { return c.Unread[identity.ClaimEmail] == identity.CauseElsewhere },
		},
		{
			"e-mail is empty", nil, func(c obj) { c["email"] = "" },
			func(c identity.Claims) bool { return c.Email == "" && c.Unread == nil },
		},
		{
			"e-mail is null", nil, func(c obj) { c["email"] = json.RawMessage("null") },
			func(c identity.Claims) bool { return c.Email == "" && c.Unread == nil },
		},
		{
			`email_verified "TRUE"`, nil, func(c obj) { c["email_verified"] = "TRUE" },
			func(c identity.Claims) bool { return !c.EmailVerified && c.Email != "" },
		},
		{
			"email_verified null", nil, func(c obj) { c["email_verified"] = json.RawMessage("null") },
			func(c identity.Claims) bool { return !c.EmailVerified && c.Email != "" },
		},

		{
			"user claim", func(c *Config) { c.UserClaim = "preferred_username" }, func(c obj) { c["preferred_username"] = "Al" },
			func(c identity.Claims) bool { return c.User == "Al" },
		},
		{"user claim missing", func(c *Config) { c.UserClaim = "preferred_username" }, nil, nil},
		{"user claim is a number", func(c *Config) { c.UserClaim = "uid" }, func(c obj) { c["uid"] = 0 }, nil},
		{"user claim is an array", func(c *Config) { c.UserClaim = "uid" }, func(c obj) { c["uid"] = []string{"root"} }, nil},
		{"user claim is empty", func(c *Config) { c.UserClaim = "uid" }, func(c obj) { c["uid"] = "" }, nil},
		{"user claim too long", func(c *Config) { c.UserClaim = "uid" }, func(c obj) { c["uid"] = strings.Repeat("x", 256) }, nil},
		{"user claim with line break", func(c *Config) { c.UserClaim = "uid" }, func(c obj) { c["uid"] = "a\r\nX: y" }, nil},
		{"user claim with U+2028", func(c *Config) { c.UserClaim = "uid" }, func(c obj) { c["uid"] = "a\u2028b" }, nil},
		{"user claim with half a surrogate", func(c *Config) { c.UserClaim = "uid" }, func(c obj) { c["uid"] = json.RawMessage(`"a\ud800"`) }, nil},
		{"user claim is the unverified e-mail", func(c *Config) { c.UserClaim = "email" }, func(c obj) { c["email_verified"] = false }, nil},
		{
			"user claim is the verified e-mail", func(c *Config) { c.UserClaim = "email" }, nil,
			func(c identity.Claims) bool { return c.User == "alice@example.com" },
		},

		{
			"one group", nil, func(c obj) { c["groups"] = "staff" },
			func(c identity.Claims) bool { return cmp.Equal(c.Groups, []string{"staff"}) },
		},
		{
			"10,000 groups", nil, func(c obj) { c["groups"] = many(10_000) },
			func(c identity.Claims) bool { return len(c.Groups) == 10_000 },
		},
		{
			"20,100 groups", nil, func(c obj) { c["groups"] = many(20_100) },
			func(c identity.Claims) bool { return len(c.Groups) == 0 && c.IsUnread(identity.ClaimGroups) },
		},
		{
			"groups by path", func(c *Config) { c.GroupsClaim = "realm_access.roles" },
			func(c obj) { c["realm_access"] = obj{"roles": []string{"admin"}} },
			func(c identity.Claims) bool { return cmp.Equal(c.Groups, []string{"admin"}) },
		},
		{
			"groups by a name with dots", func(c *Config) { c.GroupsClaim = "https://example.com/groups" },
			func(c obj) { c["https://example.com/groups"] = []string{"admin"} },
			func(c identity.Claims) bool { return cmp.Equal(c.Groups, []string{"admin"}) },
		},

		{
			"hosted domain", func(c *Config) { c.HostedDomain = "example.com" }, func(c obj) { c["hd"] = "example.com" },
			func(identity.Claims) bool { return true },
		},
		{"other hosted domain", func(c *Config) { c.HostedDomain = "example.com" }, func(c obj) { c["hd"] = "evil.com" }, nil},
		{"no hosted domain", func(c *Config) { c.HostedDomain = "example.com" }, nil, nil},

		{
			"extra claims", func(c *Config) { c.ExtraClaims = []string{"dept", "missing", "huge", "n"} },
			func(c obj) { c["dept"] = "it"; c["huge"] = strings.Repeat("x", 5000); c["n"] = 7 },
			func(c identity.Claims) bool { return cmp.Equal(c.Extra, map[string]any{"dept": "it", "n": 7.0}) },
		},
		{"how they signed in", nil, func(c obj) {
			c["acr"], c["amr"], c["sid"], c["auth_time"] = "gold", []string{"pwd", "otp"}, "s1", noon.Add(-time.Hour).Unix()
		}, func(c identity.Claims) bool {
			return c.ACR == "gold" && len(c.AMR) == 2 && c.ProviderSession == "s1" && c.AuthTime.Equal(noon.Add(-time.Hour))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := newOP(t)
			o.metadata = func(m obj) { delete(m, "userinfo_endpoint") }
			o.claims = tt.claims
			got, err := signIn(t.Context(), o.client(tt.config))
			if tt.check == nil {
				if !errors.Is(err, provider.ErrResponse) {
					t.Errorf("Exchange() = %+v, %v, want ErrResponse", got.Claims, err)
				}
				return
			}
			if err != nil || !tt.check(got.Claims) {
				t.Errorf("Exchange() = %+v, %v", got.Claims, err)
			}
		})
	}
}

func TestUserInfo(t *testing.T) {
	t.Parallel()
	thin := func(c obj) { c["email"], c["email_verified"], c["groups"], c["name"] = nil, nil, nil, nil }
	for _, tt := range []struct {
		name   string
		always bool
		claims func(obj)
		info   any
		check  func(c identity.Claims) bool // nil: refused
		want   error
	}{
		{
			"fills in", false, thin,
			obj{"sub": "u1", "email": "b@example.com", "email_verified": true, "groups": []string{"g"}, "name": "B"},
			func(c identity.Claims) bool {
				return c.User == "b@example.com" && c.Name == "B" && cmp.Equal(c.Groups, []string{"g"})
			}, nil,
		},
		{"other subject", false, thin, obj{"sub": "u2", "email": "b@example.com"}, nil, provider.ErrResponse},
		{"no subject", false, thin, obj{"email": "b@example.com"}, nil, provider.ErrResponse},
		{"subject by another name", false, thin, obj{"SUB": "u1"}, nil, provider.ErrResponse},
		{"an array", false, thin, []any{obj{"sub": "u1"}}, nil, provider.ErrResponse},
		{"null", false, thin, nil, nil, provider.ErrResponse},
		{
			"the ID token wins", true, nil,
			obj{"sub": "u1", "email": "evil@example.com", "name": "Evil", "groups": []string{"admin"}},
			func(c identity.Claims) bool {
				return c.Email == "Alice@Example.com" && c.Name == "Alice" && !c.InGroup("admin")
			}, nil,
		},
		{
			"one's address, the other's verdict", true, func(c obj) { c["email_verified"] = nil },
			obj{"sub": "u1", "email": "other@example.com", "email_verified": true},
			func(c identity.Claims) bool { return c.Email == "Alice@Example.com" && !c.EmailVerified }, nil,
		},
		{
			"one's verdict, the other's address", true, func(c obj) { c["email"] = nil },
			obj{"sub": "u1", "email": "other@example.com"},
			func(c identity.Claims) bool { return c.Email == "other@example.com" && !c.EmailVerified }, nil,
		},
		{
			"who signed in and how is not its business", true, nil,
			obj{"sub": "u1", "acr": "gold", "sid": "x", "auth_time": 1},
			func(c identity.Claims) bool {
				return c.ACR == "" && c.ProviderSession == "" && c.AuthTime.IsZero()
			}, nil,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := newOP(t)
			o.claims, o.userinfo = tt.claims, tt.info
			got, err := signIn(t.Context(), o.client(func(c *Config) {
				if tt.always {
					c.UserInfo = UserInfoAlways
				}
			}))
			if tt.check == nil {
				if !errors.Is(err, tt.want) {
					t.Errorf("Exchange() = %+v, %v, want %v", got.Claims, err, tt.want)
				}
				return
			}
			if err != nil || !tt.check(got.Claims) {
				t.Errorf("Exchange() = %+v, %v", got.Claims, err)
			}
		})
	}
}

func FuzzClaims(f *testing.F) {
	for _, s := range []string{
		`{"iss":"https://sso.example","sub":"u1","aud":"client","nonce":"nonce","iat":1793534400,"exp":1793538000}`,
		`{"aud":["client",null],"azp":7,"exp":1e300,"iat":"soon","groups":{"a":[]},"_claim_names":{"groups":1}}`,
		`{"sub":"\ud800","email":"a@b@c","email_verified":"true","realm_access":{"roles":["x"]}}`,
		`null`, `[]`, `{"exp":-1}`, `{"sub":"u","SUB":"v"}`, `{"groups":"a"}`, `{"a.b":{"c":1}}`,
	} {
		f.Add([]byte(s))
	}
	p, err := New(Config{
		Name: "sso", Issuer: "https://sso.example", ClientID: "client", Now: func() time.Time { return noon },
		GroupsClaim: "realm_access.roles", ExtraClaims: []string{"a.b.c", "x"},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		s, err := parseClaims(payload)
		if err != nil {
			return
		}
		_ = s.checkLogout()
		if s.checkCommon(&p.config, noon) != nil || s.checkSignIn("client", expected{nonce: "nonce", maxAge: -1}, noon) != nil {
			return
		}
		said := &told{idToken: s, signed: true}
		c, err := p.identify(t.Context(), said)
		if err != nil {
			return
		}
		if raw, _ := said.find("realm_access.roles"); raw != nil && len(c.Groups) == 0 && !c.IsUnread(identity.ClaimGroups) &&
			string(raw) != "[]" && string(raw) != `""` {
			t.Fatalf("%q has groups, which were lost", payload)
		}
		if c.ID == "" || c.User == "" || len(c.User) > maxValue+len("sso:") || strings.ContainsFunc(c.User+c.ID+c.Name+c.Email, outbound.Unfit) {
			t.Fatalf("%q identifies %+v", payload, c)
		}
		for _, g := range c.Groups {
			if g == "" || len(g) > maxValue || strings.ContainsFunc(g, outbound.Unfit) {
				t.Fatalf("%q is in group %q", payload, g)
			}
		}
	})
}

func FuzzJWS(f *testing.F) {
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("eyJhbGciOiJFUzI1NiIsImp3ayI6e319.e30.AAAA")
	f.Add("{}")
	f.Add("eyJhbGciOiJFUzI1NiIsIm200CI6e319.000.0000")
	f.Add("eyJhbGciOiAiRVMyNTYiIH0.e30.AAAA") // spaces in the header are the issuer's affair
	f.Fuzz(func(t *testing.T, raw string) {
		if err := checkHeader(raw, "id_token+jwt"); err != nil {
			return
		}
		token, err := parseJWS(raw)
		if err != nil {
			t.Fatal("the header of a token without form was accepted")
		}
		parts := strings.Split(raw, ".")
		header, err := base64.RawURLEncoding.DecodeString(parts[0])
		if err != nil || !utf8.Valid(header) {
			t.Fatalf("%q has a header that is no text: %v", raw, err)
		}
		if payload := base64.RawURLEncoding.EncodeToString(token.UnsafePayloadWithoutVerification()); payload != parts[1] {
			t.Fatalf("%q has another spelling of its payload: %q", raw, payload)
		}
		if signature := base64.RawURLEncoding.EncodeToString(token.Signatures[0].Signature); signature != parts[2] {
			t.Fatalf("%q has another spelling of its signature: %q", raw, signature)
		}
		for _, other := range []string{raw + "\n", "\n" + raw, raw + "=", strings.Replace(raw, ".", "\r.", 1)} {
			if _, err := parseJWS(other); err == nil {
				t.Fatalf("%q is taken as well", other)
			}
		}
	})
}

func FuzzKeys(f *testing.F) {
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AA"},{"kty":"RSA","n":"AQAB","e":"AQAB"},{"kty":"EC","crv":"P-256","x":"","y":""}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		keys, err := parseKeys(body)
		if err == nil && len(keys) == 0 {
			t.Fatal("no keys and no error")
		}
		for _, k := range keys {
			if !usable(k) {
				t.Fatal("a key that cannot be used was kept")
			}
			for _, alg := range algorithms {
				fits(k, alg)
			}
		}
	})
}
