package policy_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/policy"
)

func TestTrace(t *testing.T) {
	t.Parallel()
	p := policy.Policy{
		Deny: []policy.Rule{{User: []string{"mallory"}}},
		Allow: []policy.Rule{
			{Group: []string{"admins"}, Provider: []string{"sso"}},
			{Claim: map[string][]string{"department": {"physics"}, "site": {"cern"}}},
			{Claim: map[string][]string{"address": {"x"}}},
			{Domain: []string{"example.com"}},
			{Client: []string{"cli"}},
			{Provider: []string{"github"}},
			{Expression: "true"},
			{Anyone: true},
		},
	}
	who := person(func(c *identity.Claims) {
		c.Extra = map[string]any{"department": "chemistry", "site": "cern", "address": map[string]any{}}
		c.EmailVerified = false
	})
	who.ClientID = "app.example.com"
	want := []policy.Step{
		{Rule: "deny user mallory", Unmet: "user", Saw: `"alice@example.com"`},
		{Rule: "allow group admins provider sso", Unmet: "group", Saw: `"staff", "dev"`},
		{Rule: "allow claim department physics claim site cern", Unmet: "claim department", Saw: `"chemistry"`},
		{Rule: "allow claim address x", Unmet: "claim address", Saw: "cannot be compared: it is neither a text, a number or true or false, nor a list of these"},
		{Rule: "allow domain example.com", Unmet: "domain", Saw: `"Alice@Example.com", which the provider does not call verified`},
		{Rule: "allow client cli", Unmet: "client", Saw: `"app.example.com"`},
		{Rule: "allow provider github", Unmet: "provider", Saw: `"sso"`},
		{Rule: "allow expression `true`", Unmet: "expression", Saw: "fails: something that it looks at cannot be read"},
		{Rule: "allow anyone", Matches: true},
	}
	if diff := cmp.Diff(want, p.Trace(who)); diff != "" {
		t.Error(diff)
	}
}
