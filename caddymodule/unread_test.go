package caddymodule

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

const ssoProvider = "provider sso oidc https://sso.example.com {\n\tclient_id x\n\tclient_secret {env.HOME}\n}\n"

// ofSSO makes a sign-in one of somebody at ssoProvider.
func ofSSO(edit func(c *identity.Claims)) func(*identity.Claims) {
	return func(c *identity.Claims) {
		*c = identity.Claims{
			Provider: "sso", Issuer: "https://sso.example.com", ID: "1", User: "bob@example.com",
			Email: "bob@example.com", EmailVerified: true, Groups: []string{"staff"},
		}
		if edit != nil {
			edit(c)
		}
	}
}

func unreadGroups(c *identity.Claims) {
	c.Groups = nil
	c.SetUnread(identity.ClaimGroups, identity.CauseShape)
}

// TestUnread_NoRuleIsLoosened: who has groups that could not be read (Zitadel's
// roles in oauth2-proxy#838) is refused wherever a rule or a matcher is about
// groups, and nowhere else.
func TestUnread_NoRuleIsLoosened(t *testing.T) {
	r := serve(t, ssoProvider+"policy clean {\n\tallow anyone\n\tdeny group contractors\n}\npolicy staff {\n\tallow group staff\n}\n",
		"http://app.example.com {\n"+
			"\tgatehouse /clean/* clean\n\tgatehouse /staff/* staff\n\tgatehouse /both/* staff clean\n"+
			"\tgatehouse /own/* {\n\t\tallow anyone\n\t\tdeny group contractors\n\t}\n\tgatehouse /open/*\n"+
			"\t@out not gatehouse group contractors\n\t@in gatehouse group contractors\n"+
			"\t@cel expression path('/open/cel') && !gatehouse('group', 'contractors')\n"+
			"\thandle /open/not {\n\t\trespond @out out\n\t\trespond here\n\t}\n\thandle /open/in {\n\t\trespond @in in\n\t\trespond here\n\t}\n"+
			"\thandle {\n\t\trespond @cel cel\n\t\trespond here\n\t}\n}")
	known := r.signIn("app.example.com", ofSSO(nil))
	unknown := r.signIn("app.example.com", ofSSO(unreadGroups))
	address := r.signIn("app.example.com", ofSSO(func(c *identity.Claims) { c.SetUnread(identity.ClaimEmail, identity.CauseRefused) }))
	for path, want := range map[string]string{
		"/clean/": "here", "/staff/": "here", "/both/": "here", "/own/": "here", "/open/": "here",
		"/open/not": "out", "/open/cel": "cel", "/open/in": "here",
	} {
		for _, c := range []*http.Cookie{known, address} {
			if got := r.do(get("http://app.example.com"+path, c)); got.Code != http.StatusOK || got.Body.String() != want {
				t.Errorf("%s with groups that were read: %d %q, want %q", path, got.Code, got.Body, want)
			}
		}
		got := r.do(get("http://app.example.com"+path, unknown))
		if path == "/open/" {
			if got.Code != http.StatusOK {
				t.Errorf("%s, which no rule about groups concerns: %d", path, got.Code)
			}
			continue
		}
		if got.Code != http.StatusForbidden || !strings.Contains(got.Body.String(), "cannot be read here") {
			t.Errorf("%s with groups that could not be read: %d %s", path, got.Code, got.Body)
		}
	}
	page := get("http://app.example.com/clean/", unknown)
	page.Header.Set("Accept", "text/html")
	if got := r.do(page); got.Code != http.StatusForbidden || !strings.Contains(got.Body.String(), "sso tells us your groups in a way that cannot be read here, and the rules of app.example.com") {
		t.Errorf("the page does not say what is wrong: %s", got.Body)
	}
}

// TestUnread_AMatcherAboutUsers: who is called PROVIDER:ID since the address could
// not be read is not somebody else for that.
func TestUnread_AMatcherAboutUsers(t *testing.T) {
	r := serve(t, ssoProvider, "http://app.example.com {\n\tgatehouse\n\t@others not gatehouse claim user mallory@example.com\n"+
		"\trespond @others others\n\trespond mallory\n}")
	for name, tt := range map[string]struct {
		edit func(*identity.Claims)
		want int
	}{
		"with an address": {nil, http.StatusOK},
		"without one":     {func(c *identity.Claims) { c.User, c.Email = "sso:1", "" }, http.StatusOK},
		"with one that cannot be read": {func(c *identity.Claims) {
			c.User, c.Email = "sso:1", ""
			c.SetUnread(identity.ClaimEmail, identity.CauseShape)
		}, http.StatusForbidden},
		"with another name": {func(c *identity.Claims) {
			c.User = "bob"
			c.SetUnread(identity.ClaimEmail, identity.CauseShape)
		}, http.StatusOK},
	} {
		if got := r.do(get("http://app.example.com/", r.signIn("app.example.com", ofSSO(tt.edit)))); got.Code != tt.want {
			t.Errorf("%s: %d, want %d", name, got.Code, tt.want)
		}
	}
}

// TestNeeds: what a configuration looks at decides what its providers are asked.
func TestNeeds(t *testing.T) {
	const none, shown, perhaps, judged = identity.NotNeeded, identity.Shown, identity.Perhaps, identity.Judged
	const site = "http://app.example.com {\n\tgatehouse\n\trespond here\n}"
	const bare = "gate_client off\nheaders {\n\tuser off\n\temail off\n\tname off\n\tgroups off\n}\n"
	for _, tt := range []struct {
		name, lines, sites string
		want               identity.Needs
	}{
		{"headers", "gate_client off\n", site, identity.Needs{User: shown, Email: shown, Name: shown, Groups: shown}},
		{"nothing", bare, site, identity.Needs{}},
		{"the command gate", strings.Replace(bare, "gate_client off\n", "", 1), site, identity.Needs{User: shown, Email: shown, Name: shown, Groups: shown}},
		{"a client's scope", bare + "client c {\n\tpublic\n\tgrants device_code\n\tscopes openid groups\n}\n", site, identity.Needs{Groups: shown}},
		{"a policy", bare + "policy p {\n\tallow group staff\n\tdeny user a\n}\n", site, identity.Needs{User: judged, Groups: judged}},
		{"a guard's own rules", bare, "http://app.example.com {\n\tgatehouse {\n\t\tallow domain example.com\n\t}\n}", identity.Needs{Email: judged}},
		{"a matcher", bare, "http://app.example.com {\n\tgatehouse\n\t@x gatehouse group staff\n\trespond @x x\n}", identity.Needs{Groups: judged}},
		{"a matcher in an expression", bare, "http://app.example.com {\n\tgatehouse\n\t@x expression !gatehouse('group', 'staff')\n\trespond @x x\n}", identity.Needs{Groups: judged}},
		{"a site elsewhere", "issuer http://app.example.com\nsite https://other.example.com\n" + bare, site, identity.Needs{User: perhaps, Email: perhaps, Name: shown, Groups: perhaps, Claims: perhaps}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := serve(t, ssoProvider+tt.lines, tt.sites)
			if got := r.app.needs("sso"); got != tt.want {
				t.Errorf("needs are %+v, want %+v", got, tt.want)
			}
		})
	}
	t.Run("the provider's own rules", func(t *testing.T) {
		r := serve(t, strings.Replace(ssoProvider, "client_id", "allow email a@example.com\nclient_id", 1)+aliceLocal+bare+"policy p {\n\tallow group x provider local\n}\n", site)
		if got, want := r.app.needs("sso"), (identity.Needs{Email: judged}); got != want {
			t.Errorf("needs are %+v, want %+v", got, want)
		}
		if got, want := r.app.needs("local"), (identity.Needs{Groups: judged}); got != want {
			t.Errorf("needs of another provider are %+v, want %+v", got, want)
		}
	})
	if _, ok := serve(t, ssoProvider+bare, site).app.providers[0].(provider.NeedsClaims); !ok {
		t.Error("an OpenID provider is not told what is needed")
	}
}

// TestGroupsThatNobodyHas: a rule, or a matcher, that could match nobody is refused at
// load, since one that keeps people out would keep out nobody (GitHub's organizations are
// shown as "Acme", and read in lower case).
func TestGroupsThatNobodyHas(t *testing.T) {
	hub := func(rule string) string {
		return "provider github {\n\tclient_id x\n\tclient_secret {env.HOME}\n\tallow anyone\n" + rule + "}\n"
	}
	site := func(rule string) string {
		return "http://app.example.com {\n\tgatehouse {\n\t\tallow anyone\n" + rule + "\t}\n\trespond here\n}"
	}
	matching := func(matcher string) string {
		return "http://app.example.com {\n\tgatehouse {\n\t\tallow anyone\n\t}\n\t@x " + matcher + "\n\trespond @x here\n}"
	}
	for _, tt := range []struct{ name, lines, sites, want string }{
		{"in a provider's block", hub("deny group Acme/devs\n"), site(""), "acme/devs"},
		{"in a policy", hub("") + "policy p {\n\tallow anyone\n\tdeny group ACME\n}\n", site(""), "lower case: acme"},
		{"in a guard", hub(""), site("deny group \"a b\"\n"), "organization"},
		{"of any provider, which another has", hub("") + ssoProvider, site("deny group Acme provider any\n"), ""},
		{"of GitHub beside another", hub("") + ssoProvider, site("deny group Acme provider github\n"), "lower case"},
		{"in a matcher", hub(""), matching("not gatehouse group Acme/contractors"), "lower case: acme/contractors"},
		{"in an expression's matcher", hub(""), matching("expression gatehouse('group', 'ACME')"), "lower case: acme"},
		{"in a matcher, which another provider has", hub("") + ssoProvider, matching("gatehouse group Acme"), ""},
		{"in a matcher, as it should be", hub(""), matching("gatehouse group acme/contractors"), ""},
		{"as it should be", hub("deny group acme/devs acme\n"), site(""), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := start(t, config(t, t.TempDir(), tt.lines, tt.sites))
			if err == nil {
				r.stop()
			}
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("loading: %v, want %q in it", err, tt.want)
			}
		})
	}
}
