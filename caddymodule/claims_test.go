package caddymodule

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

const ssoWithClaims = "provider sso oidc https://sso.example.com {\n\tclient_id x\n\tclient_secret {env.HOME}\n\tclaims department level site address\n}\n"

func withClaims(extra map[string]any) func(*identity.Claims) {
	return ofSSO(func(c *identity.Claims) { c.Extra = extra })
}

// TestClaims_InRulesMatchersAndPlaceholders: a claim that a provider's block keeps is
// one everywhere.
func TestClaims_InRulesMatchersAndPlaceholders(t *testing.T) {
	r := serve(t, ssoWithClaims+"policy lab {\n\tallow claim department physics \"two words\"\n\tallow expression `claims.level >= 5`\n\tdeny claim site evil\n}\n",
		"http://app.example.com {\n\tgatehouse lab\n\t@cern gatehouse claim site cern\n\thandle /address {\n\t\trespond \"{http.auth.user.claims.address}\"\n\t}\n"+
			"\thandle {\n\t\trespond @cern cern\n\t\trespond \"here {http.auth.user.claims.site}\"\n\t}\n}")
	type obj = map[string]any
	for name, tt := range map[string]struct {
		extra map[string]any
		code  int
		body  string
	}{
		"by a claim":              {obj{"department": "physics"}, 200, "here "},
		"by one of its values":    {obj{"department": []any{"x", "two words"}}, 200, "here "},
		"by another value":        {obj{"department": "chemistry"}, 403, ""},
		"by an expression":        {obj{"level": 5.0}, 200, "here "},
		"not by an expression":    {obj{"level": 4.0}, 403, ""},
		"an expression that errs": {obj{"level": "five"}, 403, ""},
		"none":                    {nil, 403, ""},
		"denied":                  {obj{"department": "physics", "site": "evil"}, 403, ""},
		"denied, of another kind": {obj{"department": "physics", "site": obj{"a": "b"}}, 403, ""},
		"matched":                 {obj{"department": "physics", "site": "cern"}, 200, "cern"},
		"shown":                   {obj{"department": "physics", "site": []any{"a", "b,c"}}, 200, "here a,b%2Cc"},
	} {
		t.Run(name, func(t *testing.T) {
			got := r.do(get("http://app.example.com/", r.signIn("app.example.com", withClaims(tt.extra))))
			if got.Code != tt.code || tt.code == 200 && got.Body.String() != tt.body {
				t.Errorf("%d %q", got.Code, got.Body)
			}
		})
	}
	got := r.do(get("http://app.example.com/address", r.signIn("app.example.com", withClaims(obj{"department": "physics", "address": obj{"country": "CH"}}))))
	if got.Body.String() != `{"country":"CH"}` {
		t.Errorf("the placeholder of an object is %s", got.Body)
	}
}

// TestClaims_OfLocalUsers: a local user's claims are those of the configuration.
func TestClaims_OfLocalUsers(t *testing.T) {
	lines := strings.Replace(aliceLocal, "groups staff", "groups staff\nclaim department physics\nclaim site cern desy", 1)
	r := serve(t, lines, "http://app.example.com {\n\tgatehouse {\n\t\tallow claim site desy\n\t}\n\trespond {http.auth.user.claims.department}\n}")
	cookie := r.signIn("app.example.com", nil)
	if got := r.do(get("http://app.example.com/", cookie)); got.Code != http.StatusOK || got.Body.String() != "physics" {
		t.Errorf("%d %q", got.Code, got.Body)
	}
}

// TestClaims_NobodyKeeps: a rule about a claim that is never there is refused at load.
func TestClaims_NobodyKeeps(t *testing.T) {
	for rule, want := range map[string]string{
		"allow claim team x":                              "provider sso keeps no claim team; write in its block: claims team",
		"allow anyone\n\tdeny claim team x":               "provider sso keeps no claim team",
		"allow expression `claims.team == \"x\"`":         "provider sso keeps no claim team",
		"allow expression `\"x\" in claims[\"a.b\"]`":     "provider sso keeps no claim a.b",
		"allow expression `claims.all(c, c == \"team\")`": "",
		"allow claim department x":                        "",
	} {
		_, err := provision(t, config(t, t.TempDir(), ssoWithClaims, "http://app.example.com {\n\tgatehouse {\n\t"+rule+"\n\t}\n}"))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", rule, err, want)
		}
	}
	_, err := provision(t, config(t, t.TempDir(), ssoWithClaims, "http://app.example.com {\n\tgatehouse\n\t@x gatehouse claim team x\n\trespond @x x\n}"))
	if err == nil || !strings.Contains(err.Error(), "keeps no claim team") {
		t.Errorf("a matcher about a claim that nobody keeps: %v", err)
	}
}

// TestMatcher_BeforeTheGuard: directives that Caddy orders before the guard know who
// is signed in (reference of the peers: `@admin` with redir never matched).
func TestMatcher_BeforeTheGuard(t *testing.T) {
	r := serve(t, ssoWithClaims, "http://app.example.com {\n\t@staff gatehouse group staff\n\t@others not gatehouse group staff\n"+
		"\tredir @staff /moved?x 302\n\tgatehouse /guarded/* {\n\t\tallow group nobody\n\t}\n\theader @others X-Others yes\n\trespond here\n}\n"+
		"http://other.example.com {\n\t@staff gatehouse group staff\n\trespond @staff staff\n\trespond here\n}")
	staff := r.signIn("app.example.com", ofSSO(nil))
	others := r.signIn("app.example.com", ofSSO(func(c *identity.Claims) { c.Groups = nil }))
	if got := r.do(get("http://app.example.com/open", staff)); got.Code != http.StatusFound {
		t.Errorf("redir, which is before the guard, does not know who is signed in: %d", got.Code)
	}
	if got := r.do(get("http://app.example.com/open", others)); got.Code != http.StatusOK || got.Header().Get("X-Others") != "yes" {
		t.Errorf("somebody else: %d %v", got.Code, got.Header())
	}
	if got := r.do(get("http://app.example.com/open")); got.Code != http.StatusOK || got.Header().Get("X-Others") != "yes" {
		t.Errorf("nobody: %d %v", got.Code, got.Header())
	}
	if got := r.do(get("http://other.example.com/", staff)); got.Body.String() != "here" {
		t.Errorf("a site without a guard knows somebody: %q", got.Body)
	}
}

// TestMatcher_AuthenticatesOnce: however many matchers and guards ask, since a proof
// of possession is good once.
func TestMatcher_AuthenticatesOnce(t *testing.T) {
	r := serve(t, ssoWithClaims, "http://app.example.com {\n\tgatehouse\n\trespond here\n}")
	gateway, v := r.app.gateway.Load(), new(verdict)
	for _, req := range []*http.Request{get("http://app.example.com/", r.signIn("app.example.com", ofSSO(nil))), get("http://app.example.com/")} {
		if id, err := v.authenticate(r.app.guards[0], gateway, req); err != nil || id.User != "bob@example.com" {
			t.Errorf("%v %v", id, err)
		}
	}
}
