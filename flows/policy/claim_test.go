package policy_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/policy"
)

func TestAllows_Claims(t *testing.T) {
	t.Parallel()
	type rules = []policy.Rule
	physics := rules{{Claim: map[string][]string{"department": {"chemistry", "physics"}}}}
	anyone := rules{{Anyone: true}}
	has := func(v any) func(c *identity.Claims) {
		return func(c *identity.Claims) { c.Extra = map[string]any{"department": v} }
	}
	unread := func(cause identity.Cause) func(c *identity.Claims) {
		return func(c *identity.Claims) { c.SetUnread(identity.KeptClaim("department"), cause) }
	}
	for _, tt := range []struct {
		name            string
		who             func(c *identity.Claims)
		allowed, denied bool // whom the rule lets in, and keeps out
	}{
		{"text", has("physics"), true, true},
		{"another text", has("biology"), false, false},
		{"another case", has("Physics"), false, false},
		{"list", has([]any{"x", "physics"}), true, true},
		{"list without it", has([]any{"x"}), false, false},
		{"not there", nil, false, false},
		{"null", has(nil), false, false},
		{"object", has(map[string]any{"physics": true}), false, true},
		{"list with an object", has([]any{"physics", map[string]any{}}), false, true},
		{"list with a list", has([]any{[]any{"physics"}}), false, true},
		{"too long", unread(identity.CauseSize), false, true},
		{"elsewhere", unread(identity.CauseElsewhere), false, true},
		{"told before, and not known by now", func(c *identity.Claims) {
			has("physics")(c)
			unread(identity.CauseUntold)(c)
		}, false, true},
		{"another claim unread", func(c *identity.Claims) { c.SetUnread(identity.KeptClaim("site"), identity.CauseSize) }, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := (&policy.Policy{Allow: physics}).Allows(person(tt.who)); got != tt.allowed {
				t.Errorf("allow: %t", got)
			}
			if got := !(&policy.Policy{Allow: anyone, Deny: physics}).Allows(person(tt.who)); got != tt.denied {
				t.Errorf("deny: %t", got)
			}
		})
	}
}

func TestAllows_ClaimKinds(t *testing.T) {
	t.Parallel()
	for value, claim := range map[string]any{"1234": 1234.0, "true": true, "0.5": 0.5, "9007199254740991": float64(1<<53 - 1)} {
		who := person(func(c *identity.Claims) { c.Extra = map[string]any{"n": claim} })
		p := policy.Policy{Allow: []policy.Rule{{Claim: map[string][]string{"n": {value}}}}}
		if !p.Allows(who) {
			t.Errorf("%v is not %s", claim, value)
		}
	}
	// Two ids that one number stands for are not compared.
	who := person(func(c *identity.Claims) { c.Extra = map[string]any{"n": float64(1 << 60)} })
	p := policy.Policy{Allow: []policy.Rule{{Anyone: true}}, Deny: []policy.Rule{{Claim: map[string][]string{"n": {"5"}}}}}
	if p.Allows(who) {
		t.Error("a number that is not exact is compared")
	}
}

func TestAllows_Client(t *testing.T) {
	t.Parallel()
	allow := policy.Policy{Allow: []policy.Rule{{Client: []string{"cli"}}}}
	deny := policy.Policy{Allow: []policy.Rule{{Anyone: true}}, Deny: []policy.Rule{{Client: []string{"cli"}}}}
	for client, want := range map[string]struct{ allow, deny bool }{"cli": {true, false}, "app.example.com": {false, true}, "": {false, false}} {
		who := person(nil)
		who.ClientID = client
		if got := allow.Allows(who); got != want.allow {
			t.Errorf("client %q: allow is %t", client, got)
		}
		if got := deny.Allows(who); got != want.deny {
			t.Errorf("client %q: deny lets in: %t", client, got)
		}
	}
}

// judgedBy is an expression that counts its evaluations.
type judgedBy struct {
	holds bool
	err   error
	looks policy.Looks
	count *int
}

func (j judgedBy) Judge(*identity.Claims) (bool, error) { *j.count++; return j.holds, j.err }
func (j judgedBy) Looks() policy.Looks                  { return j.looks }

func TestAllows_Expression(t *testing.T) {
	t.Parallel()
	groups := func(c *identity.Claims) { c.SetUnread(identity.ClaimGroups, identity.CauseShape) }
	claim := func(c *identity.Claims) { c.SetUnread(identity.KeptClaim("a"), identity.CauseSize) }
	for _, tt := range []struct {
		name            string
		e               judgedBy
		who             func(c *identity.Claims)
		allowed, denied bool
	}{
		{"holds", judgedBy{holds: true}, nil, true, true},
		{"does not hold", judgedBy{}, nil, false, false},
		{"fails", judgedBy{holds: true, err: errors.New("x")}, nil, false, true},
		{"groups unread", judgedBy{holds: true, looks: policy.Looks{Groups: true}}, groups, false, true},
		{"groups left out", judgedBy{holds: true, looks: policy.Looks{Groups: true}}, func(c *identity.Claims) { c.GroupsLeft = 1 }, false, true},
		{"groups left out, not looked at", judgedBy{holds: true}, func(c *identity.Claims) { c.GroupsLeft = 1 }, true, true},
		{"groups unread, not looked at", judgedBy{holds: true}, groups, true, true},
		{"claim unread", judgedBy{looks: policy.Looks{Claims: []string{"a"}}}, claim, false, true},
		{"another claim unread", judgedBy{looks: policy.Looks{Claims: []string{"b"}}}, claim, false, false},
		{"any claim", judgedBy{looks: policy.Looks{AllClaims: true}}, claim, false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.e.count = new(int)
			compile := func(string) (policy.Expression, error) { return tt.e, nil }
			rule := []policy.Rule{{Expression: "x"}}
			for _, effect := range []struct {
				p    policy.Policy
				want bool
			}{
				{policy.Policy{Allow: rule}, tt.allowed},
				{policy.Policy{Allow: []policy.Rule{{Anyone: true}}, Deny: rule}, !tt.denied},
			} {
				if effect.p.Compile(compile) != nil {
					t.Fatal("not compiled")
				}
				who := person(tt.who)
				who.Judgements = new(identity.Judgements)
				*tt.e.count = 0
				for range 3 {
					if got := effect.p.Allows(who); got != effect.want {
						t.Errorf("Allows() = %t with %+v", got, effect.p)
					}
				}
				if *tt.e.count > 1 {
					t.Errorf("evaluated %d times", *tt.e.count)
				}
			}
		})
	}
}

// TestAllows_NotCompiled: a forgotten Compile loosens nothing.
func TestAllows_NotCompiled(t *testing.T) {
	t.Parallel()
	rule := []policy.Rule{{Expression: "true"}}
	if (&policy.Policy{Allow: rule}).Allows(person(nil)) || (&policy.Policy{Allow: []policy.Rule{{Anyone: true}}, Deny: rule}).Allows(person(nil)) {
		t.Error("an expression that was not compiled lets in")
	}
}

func TestRule_String(t *testing.T) {
	t.Parallel()
	r := policy.Rule{
		Group: []string{"staff"}, Claim: map[string][]string{"site": {"cern", "two words"}, "department": {"group"}},
		Client: []string{"cli"}, Provider: []string{"sso"}, Expression: `"a" in groups`,
	}
	const want = "group staff claim department \"group\" claim site cern \"two words\" client cli provider sso expression `\"a\" in groups`"
	if got := r.String(); got != want {
		t.Errorf("String() = %s, want %s", got, want)
	}
}

func TestValidate_Claims(t *testing.T) {
	t.Parallel()
	two := []string{"google", "staff"}
	for want, rule := range map[string]policy.Rule{
		"a claim rule must say whose":       {Claim: map[string][]string{"a": {"b"}}},
		"an expression rule must say whose": {Expression: "true"},
		"claim needs a value":               {Claim: map[string][]string{"a": {}}},
		"claim needs a name":                {Claim: map[string][]string{"": {"b"}}},
		`claim "" can match nobody`:         {Claim: map[string][]string{"a": {""}}, Provider: []string{"any"}},
		`client "" can match nobody`:        {Client: []string{""}},
	} {
		p := policy.Policy{Allow: []policy.Rule{rule}}
		if err := p.Validate(two); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Validate(%s) = %v, want %q in it", rule, err, want)
		}
	}
	if _, err := policy.CallerRules("google", []policy.Rule{{Client: []string{"cli"}}}, nil); err == nil {
		t.Error("a provider's own line may be about a client, which it cannot know")
	}
}
