package policy_test

import (
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/policy"
)

func person(edit func(c *identity.Claims)) *identity.Identity {
	id := &identity.Identity{Claims: identity.Claims{
		Provider: "sso", Issuer: "https://sso.example", ID: "1",
		User: "alice@example.com", Email: "Alice@Example.com", EmailVerified: true,
		Groups: []string{"staff", "dev"},
	}}
	if edit != nil {
		edit(&id.Claims)
	}
	return id
}

func TestAllows(t *testing.T) {
	t.Parallel()
	type rules = []policy.Rule
	unverified := func(c *identity.Claims) { c.EmailVerified = false }
	email := func(s string) func(*identity.Claims) { return func(c *identity.Claims) { c.Email = s } }
	unread := func(claim string) func(*identity.Claims) {
		return func(c *identity.Claims) { c.SetUnread(claim, identity.CauseShape) }
	}
	byID := func(s string) func(*identity.Claims) {
		return func(c *identity.Claims) { c.User, c.Email, c.EmailVerified = "sso:1", s, false }
	}
	for _, tt := range []struct {
		name        string
		allow, deny rules
		who         func(c *identity.Claims)
		want        bool
	}{
		{name: "no rules"},
		{name: "rule without condition", allow: rules{{}}},
		{name: "anyone", allow: rules{{Anyone: true}}, want: true},
		{name: "any provider alone is no condition", allow: rules{{Provider: []string{"any"}}}},
		{name: "provider", allow: rules{{Provider: []string{"sso"}}}, want: true},
		{name: "other provider", allow: rules{{Provider: []string{"github"}}}},
		{name: "anyone of another provider", allow: rules{{Anyone: true, Provider: []string{"github"}}}},
		{name: "claims without a provider", allow: rules{{Provider: []string{""}}}, who: func(c *identity.Claims) { c.Provider = "" }},

		{name: "user", allow: rules{{User: []string{"bob", "alice@example.com"}}}, want: true},
		{name: "user in another case", allow: rules{{User: []string{"Alice@example.com"}}}},
		{name: "empty user", allow: rules{{User: []string{""}}}, who: func(c *identity.Claims) { c.User = "" }},
		{name: "denied user in another case", allow: rules{{Anyone: true}}, deny: rules{{User: []string{"ALICE@example.com"}}}},

		{name: "group", allow: rules{{Group: []string{"staff"}}}, want: true},
		{name: "group in another case", allow: rules{{Group: []string{"Staff"}}}},
		{name: "group prefix", allow: rules{{Group: []string{"sta"}}}},
		{name: "group and provider", allow: rules{{Group: []string{"staff"}, Provider: []string{"sso"}}}, want: true},
		{name: "group of another provider", allow: rules{{Group: []string{"staff"}, Provider: []string{"github"}}}},
		{name: "group of any provider", allow: rules{{Group: []string{"staff"}, Provider: []string{"any"}}}, want: true},
		{name: "group and user, one fails", allow: rules{{Group: []string{"staff"}, User: []string{"bob"}}}},
		{name: "lines are alternatives", allow: rules{{User: []string{"bob"}}, {Group: []string{"dev"}}}, want: true},
		{name: "empty group", allow: rules{{Group: []string{""}}}, who: func(c *identity.Claims) { c.Groups = []string{""} }},

		{name: "e-mail in any case", allow: rules{{Email: []string{"ALICE@example.COM"}}}, want: true},
		{name: "unverified e-mail", allow: rules{{Email: []string{"alice@example.com"}}}, who: unverified},
		{name: "domain in any case", allow: rules{{Domain: []string{"EXAMPLE.com"}}}, want: true},
		{name: "unverified domain", allow: rules{{Domain: []string{"example.com"}}}, who: unverified},
		{name: "sub-domain", allow: rules{{Domain: []string{"example.com"}}}, who: email("a@sub.example.com")},
		{name: "super-domain", allow: rules{{Domain: []string{"sub.example.com"}}}, who: email("a@example.com")},
		{name: "suffix without a dot", allow: rules{{Domain: []string{"example.com"}}}, who: email("a@notexample.com")},
		{name: "CVE-2026-40574", allow: rules{{Domain: []string{"example.com"}}}, who: email("a@evil.com@example.com")},
		{name: "CVE-2026-40574 reversed", allow: rules{{Domain: []string{"example.com"}}}, who: email("a@example.com@evil.com")},
		{name: "list of addresses", allow: rules{{Domain: []string{"example.com"}}}, who: email("a@example.com,b@evil.com")},
		{name: "quoted local part", allow: rules{{Domain: []string{"example.com", "evil.com"}}}, who: email(`"x@example.com"@evil.com`)},
		{name: "trailing dot", allow: rules{{Domain: []string{"example.com", "example.com."}}}, who: email("a@example.com.")},
		{name: "NUL", allow: rules{{Domain: []string{"example.com", "example.com\x00"}}}, who: email("a@example.com\x00")},
		{name: "empty domain", allow: rules{{Domain: []string{""}}}, who: email("a@")},
		{name: "malformed address named by a rule", allow: rules{{Email: []string{"a@b@c"}}}, who: email("a@b@c")},
		{name: "Kelvin sign", allow: rules{{Email: []string{"kim@example.com"}}}, who: email("\u212aim@example.com")},

		// oauth2-proxy#838: a group of another shape passed a line that denies.
		{name: "groups unread, denied", allow: rules{{Anyone: true}}, deny: rules{{Group: []string{"contractors"}}}, who: unread(identity.ClaimGroups)},
		{name: "groups unread, allowed", allow: rules{{Group: []string{"staff"}}}, who: unread(identity.ClaimGroups)},
		{name: "groups unread, no rule about groups", allow: rules{{Domain: []string{"example.com"}}}, who: unread(identity.ClaimGroups), want: true},
		{name: "groups unread, denied at another provider", allow: rules{{Anyone: true}}, deny: rules{{Group: []string{"x"}, Provider: []string{"github"}}}, who: unread(identity.ClaimGroups), want: true},
		{name: "groups unread, another line allows", allow: rules{{Group: []string{"staff"}}, {User: []string{"alice@example.com"}}}, who: unread(identity.ClaimGroups), want: true},
		{name: "groups unread, deny needs another condition", allow: rules{{Anyone: true}}, deny: rules{{Group: []string{"x"}, User: []string{"bob"}}}, who: unread(identity.ClaimGroups), want: true},
		{name: "address unread, denied domain", allow: rules{{Anyone: true}}, deny: rules{{Domain: []string{"evil.com"}}}, who: unread(identity.ClaimEmail)},
		{name: "address unread, denied address", allow: rules{{Anyone: true}}, deny: rules{{Email: []string{"a@evil.com"}}}, who: unread(identity.ClaimEmail)},
		{name: "address unread, allowed domain", allow: rules{{Domain: []string{"example.com"}}}, who: unread(identity.ClaimEmail)},
		{name: "address unread, allowed address", allow: rules{{Email: []string{"alice@example.com"}}}, who: unread(identity.ClaimEmail)},
		{name: "address unread, no rule about it", allow: rules{{Group: []string{"staff"}}}, who: unread(identity.ClaimEmail), want: true},

		{name: "no address, denied domain", allow: rules{{Anyone: true}}, deny: rules{{Domain: []string{"evil.com"}}}, who: email(""), want: true},
		{name: "another address, denied domain", allow: rules{{Anyone: true}}, deny: rules{{Domain: []string{"evil.com"}}, {Email: []string{"bob@example.com"}}}, want: true},
		{name: "denied domain unverified", allow: rules{{Anyone: true}}, deny: rules{{Domain: []string{"example.com"}}}, who: unverified},
		{name: "denied address unverified", allow: rules{{Anyone: true}}, deny: rules{{Email: []string{"ALICE@example.com"}}}, who: unverified},
		{name: "denied user whose address is not verified", allow: rules{{Anyone: true}}, deny: rules{{User: []string{"alice@example.com"}}}, who: byID("alice@example.com")},
		{name: "denied user whose address is not to be read", allow: rules{{Anyone: true}}, deny: rules{{User: []string{"alice@example.com"}}}, who: byID("alice@example.com.")},
		{name: "denied user, another by id", allow: rules{{Anyone: true}}, deny: rules{{User: []string{"bob@example.com", "sso:2"}}}, who: byID("alice@example.com"), want: true},
		{name: "denied user, who has a name", allow: rules{{Anyone: true}}, deny: rules{{User: []string{"alice@example.com"}}}, who: func(c *identity.Claims) { c.User = "al" }, want: true},

		{name: "deny wins", allow: rules{{Anyone: true}}, deny: rules{{Group: []string{"dev"}}}},
		{name: "deny of somebody else", allow: rules{{Anyone: true}}, deny: rules{{User: []string{"bob"}}}, want: true},
		{name: "deny without condition", allow: rules{{Anyone: true}}, deny: rules{{}}, want: true},
		{name: "deny needs all its conditions", allow: rules{{Anyone: true}}, deny: rules{{Group: []string{"dev"}, Provider: []string{"github"}}}, want: true},
		{name: "deny alone", deny: rules{{User: []string{"bob"}}}},
		{name: "deny anyone", allow: rules{{Anyone: true}}, deny: rules{{Anyone: true}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := &policy.Policy{Allow: tt.allow, Deny: tt.deny}
			id := person(tt.who)
			if got := p.Allows(id); got != tt.want {
				t.Errorf("Allows() = %t, want %t", got, tt.want)
			}
			d := p.Explain(id)
			if d.Allowed != tt.want {
				t.Errorf("Explain() = %v, want allowed %t", d, tt.want)
			}
			if d.Allowed && d.Rule != &p.Allow[d.Index] {
				t.Errorf("Explain() = %v does not name the rule", d)
			}
		})
	}
}

// TestDeniedAddresses: a line that keeps a domain or an address out does not miss
// it in a spelling that a mail server, or a reader, takes for the same.
func TestDeniedAddresses(t *testing.T) {
	t.Parallel()
	for email, missed := range map[string]bool{
		"mallory@evil.com":                     false,
		"MALLORY@EVIL.COM":                     false,
		"mallory@evil.com.":                    false,
		"mallory@evil.com ":                    false,
		" mallory@evil.com":                    false,
		"mallory@evil.com\t":                   false,
		"mallory@ evil.com":                    false,
		"mallory@evil.com\x00":                 false,
		"<mallory@evil.com>":                   false,
		"Mallory <mallory@evil.com>":           false,
		"mallory@evil.com(good.com)":           false,
		"mallory(x)@evil.com":                  false,
		`"mallory"@evil.com`:                   false,
		"mallory@evil.com,bob@good.com":        false,
		"bob@good.com@evil.com":                false,
		"mallory@evil.com@good.com":            false,
		"mallory\uff20evil.com":                false,
		"mallory@evil\uff0ecom":                false,
		"mallory@evil\u3002com":                false,
		"mallory@\uff45vil.com":                false,
		"mallory@ev\u00adil.com":               false,
		"mallory@ev\u200bil.com":               false,
		"\uff4dallory@evil.com":                false,
		"mallory@[192.0.2.1]":                  false,
		"mallory":                              false,
		"@evil.com":                            false,
		"mallory@":                             false,
		"mallory@evil..com":                    false,
		strings.Repeat("m", 300) + "@evil.com": false,
		"mallory@\xffevil.com":                 false,
		"bob@good.com":                         true,
		"bob@b\u00fccher.example":              true,
		"bob@notevil.com":                      true,
		"bob@sub.evil.com":                     true,
		"":                                     true,
	} {
		p := &policy.Policy{Allow: []policy.Rule{{Anyone: true}}, Deny: []policy.Rule{{Domain: []string{"evil.com"}}}}
		for _, verified := range []bool{true, false} {
			id := person(func(c *identity.Claims) { c.User, c.Email, c.EmailVerified = "sso:1", email, verified })
			if got := p.Allows(id); got != missed {
				t.Errorf("%q (verified %t): allowed %t by deny domain evil.com", email, verified, got)
			}
			by := &policy.Policy{Allow: p.Allow, Deny: []policy.Rule{{Email: []string{"mallory@evil.com"}}}}
			if got := by.Allows(id); got != missed {
				t.Errorf("%q (verified %t): allowed %t by deny email", email, verified, got)
			}
		}
	}
	p := &policy.Policy{Allow: []policy.Rule{{Anyone: true}}, Deny: []policy.Rule{{Domain: []string{"xn--bcher-kva.example"}}}}
	for _, email := range []string{"a@b\u00fccher.example", "a@B\u00dcCHER.example", "a@xn--bcher-kva.example", "a@bu\u0308cher.example"} {
		if p.Allows(person(func(c *identity.Claims) { c.Email = email })) {
			t.Errorf("%q is not of the denied domain", email)
		}
	}
}

func TestNilIsRefused(t *testing.T) {
	t.Parallel()
	var p *policy.Policy
	if p.Allows(person(nil)) || p.Explain(person(nil)).Allowed {
		t.Error("a nil policy allows")
	}
	p = &policy.Policy{Allow: []policy.Rule{{Anyone: true}}}
	if p.Allows(nil) || p.Explain(nil).Allowed {
		t.Error("nobody is allowed in")
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	p := &policy.Policy{
		Name:  "staff",
		Allow: []policy.Rule{{User: []string{"bob"}}, {Group: []string{"staff"}, Provider: []string{"sso"}}},
		Deny:  []policy.Rule{{User: []string{"mallory"}}},
	}
	for _, tt := range []struct{ name, user, want string }{
		{"allowed", "alice", `allowed by rule of policy "staff": allow group staff provider sso`},
		{"denied", "mallory", `refused by rule of policy "staff": deny user mallory`},
	} {
		got := p.Explain(person(func(c *identity.Claims) { c.User = tt.user })).String()
		if got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	nobody := p.Explain(person(func(c *identity.Claims) { c.User, c.Groups = "x", nil })).String()
	if want := `refused: no rule of policy "staff" matches`; nobody != want {
		t.Errorf("no match: %s, want %s", nobody, want)
	}
}

func TestAllowsDoesNotAllocate(t *testing.T) {
	p := &policy.Policy{
		Allow: []policy.Rule{
			{Email: []string{"bob@example.com"}, Provider: []string{"any"}},
			{Domain: []string{"EXAMPLE.com"}, Group: []string{"dev"}, Provider: []string{"sso"}, User: []string{"alice@example.com"}},
		},
		Deny: []policy.Rule{
			{User: []string{"mallory"}}, {Domain: []string{"evil.com"}}, {Email: []string{"mallory@example.com"}}, {Group: []string{"contractors"}},
		},
	}
	id := person(nil)
	if n := testing.AllocsPerRun(100, func() {
		if !p.Allows(id) {
			t.Fatal("refused")
		}
	}); n != 0 {
		t.Errorf("Allows allocates %v times", n)
	}
}

func FuzzAllows(f *testing.F) {
	f.Add("alice", "a@example.com", "staff", "alice", "example.com", "staff")
	f.Add("", "a@b@c", "", "", "c", "")
	f.Fuzz(func(t *testing.T, user, email, group, ruleUser, ruleDomain, ruleGroup string) {
		id := &identity.Identity{Claims: identity.Claims{Provider: "p", User: user, Email: email, EmailVerified: true, Groups: []string{group}}}
		rule := policy.Rule{User: []string{ruleUser}, Domain: []string{ruleDomain}, Group: []string{ruleGroup}}
		p := &policy.Policy{Allow: []policy.Rule{rule}}
		got := p.Allows(id)
		if want := user != "" && user == ruleUser && id.HasDomain(ruleDomain) && group != "" && group == ruleGroup; got != want {
			t.Fatalf("Allows() = %t, want %t", got, want)
		}
		if p.Explain(id).Allowed != got {
			t.Fatal("Explain differs from Allows")
		}
		p.Deny = []policy.Rule{rule}
		if p.Allows(id) {
			t.Fatal("deny does not win")
		}
	})
}
