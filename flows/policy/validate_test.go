package policy_test

import (
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/policy"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	one, two := []string{"google"}, []string{"google", "staff"}
	for _, tt := range []struct {
		name      string
		rule      policy.Rule
		providers []string
		want      string // part of the error, "" for none
	}{
		{"anyone", policy.Rule{Anyone: true}, two, ""},
		{"user with several providers", policy.Rule{User: []string{"alice"}}, two, ""},
		{"group with one provider", policy.Rule{Group: []string{"x"}}, one, ""},
		{"group with several", policy.Rule{Group: []string{"x"}}, two, "add provider NAME (google, staff) or provider any"},
		{"e-mail with several", policy.Rule{Email: []string{"a@b.c"}}, two, "e-mail rule must say whose"},
		{"domain with several", policy.Rule{Domain: []string{"b.c"}}, two, "domain rule must say whose"},
		{"user and group with several", policy.Rule{User: []string{"a"}, Group: []string{"x"}}, two, "group rule must say whose"},
		{"group of a provider", policy.Rule{Group: []string{"x"}, Provider: []string{"staff"}}, two, ""},
		{"group of any provider", policy.Rule{Group: []string{"x"}, Provider: []string{"any"}}, two, ""},
		{"misspelt provider", policy.Rule{Provider: []string{"gogle"}}, two, `there is no provider "gogle", did you mean "google"?`},
		{"unlike any provider", policy.Rule{Provider: []string{"zzzzz"}}, two, `there is no provider "zzzzz"`},
		{"no condition", policy.Rule{}, one, "write allow anyone"},
		{"any provider alone", policy.Rule{Provider: []string{"any"}}, one, "write allow anyone"},
		{"empty list", policy.Rule{User: []string{"a"}, Group: []string{}}, one, "group needs a value"},
		{"empty value", policy.Rule{User: []string{""}}, one, "can match nobody"},
		{"domain with at sign", policy.Rule{Domain: []string{"@example.com"}}, one, "is not a domain"},
		{"wildcard domain", policy.Rule{Domain: []string{"*.example.com"}}, one, "is not a domain"},
		{"domain with trailing dot", policy.Rule{Domain: []string{"example.com."}}, one, "is not a domain"},
		{"long group", policy.Rule{Group: []string{strings.Repeat("g", 255)}}, one, ""},
		{"group too long", policy.Rule{Group: []string{strings.Repeat("g", 256)}}, one, "can match nobody"},
		{"group with space at an end", policy.Rule{Group: []string{"staff "}}, one, "can match nobody"},
		{"group with a line break", policy.Rule{Group: []string{"a\u2028b"}}, one, "can match nobody"},
		{"group that is no text", policy.Rule{Group: []string{"\xff"}}, one, "can match nobody"},
		{"wildcard address", policy.Rule{Email: []string{"*@example.com"}}, one, "is no pattern"},
		{"no address", policy.Rule{Email: []string{"example.com"}}, one, "is not an e-mail address"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := &policy.Policy{Name: "p", Allow: []policy.Rule{tt.rule}}
			err := p.Validate(tt.providers)
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("Validate() = %v", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("Validate() = %v, want %q in it", err, tt.want)
			}
		})
	}
	t.Run("deny alone", func(t *testing.T) {
		t.Parallel()
		p := &policy.Policy{Deny: []policy.Rule{{User: []string{"x"}}}}
		if err := p.Validate(one); err == nil || !strings.Contains(err.Error(), "deny alone refuses everybody") {
			t.Errorf("Validate() = %v", err)
		}
	})
}

func TestCallerRules(t *testing.T) {
	t.Parallel()
	lines := []policy.Rule{{Domain: []string{"example.com"}}, {Anyone: true}}
	p, err := policy.CallerRules("google", lines, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Validate([]string{"google", "github"}); err != nil {
		t.Error(err)
	}
	if p.Allows(person(nil)) {
		t.Error("the lines of google's block allow somebody of another provider")
	}
	if !p.Allows(person(func(c *identity.Claims) { c.Provider = "google" })) {
		t.Error("google's own caller is refused")
	}
	if len(lines[0].Provider) != 0 {
		t.Error("the caller's rules were changed")
	}
	for _, rule := range []policy.Rule{{}, {Group: []string{"x"}, Provider: []string{"github"}}, {Anyone: true, Provider: []string{"any"}}} {
		if _, err := policy.CallerRules("google", []policy.Rule{rule}, nil); err == nil {
			t.Errorf("CallerRules(%v) is accepted", rule)
		}
	}
}

func FuzzValidate(f *testing.F) {
	f.Add("gogle", "x", "a@b", "b.c")
	f.Fuzz(func(t *testing.T, prov, group, email, domain string) {
		p := &policy.Policy{Allow: []policy.Rule{{Provider: []string{prov}, Group: []string{group}, Email: []string{email}, Domain: []string{domain}}}}
		if err := p.Validate([]string{"google", "staff"}); err == nil && prov != "any" && prov != "google" && prov != "staff" {
			t.Fatalf("provider %q is accepted", prov)
		}
	})
}
