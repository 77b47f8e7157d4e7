package expression_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/policy"
	"github.com/gatehouse-auth/gatehouse/flows/policy/expression"
)

func compiler(t testing.TB, failed func(string, *identity.Claims, error)) *expression.Compiler {
	t.Helper()
	c, err := expression.New(failed)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func alice() *identity.Claims {
	return &identity.Claims{
		Provider: "sso", Issuer: "https://sso.example", ID: "1", User: "alice@example.com", Groups: []string{"staff", "dev"},
		Extra: map[string]any{
			"department": "physics", "level": 7.0, "realm_access.roles": []any{"admin", "ops"},
			"https://example.com/site": map[string]any{"country": "CH"},
		},
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	many := &identity.Claims{Provider: "sso"}
	for _, tt := range []struct {
		source string
		who    *identity.Claims
		want   bool
	}{
		{source: `user == "alice@example.com" && provider == "sso"`, want: true},
		{source: `"staff" in groups`, want: true},
		{source: `"interns" in groups`},
		{source: `groups.exists(g, g.startsWith("st"))`, want: true},
		{source: `claims.department == "physics"`, want: true},
		{source: `claims["department"] in ["physics", "chemistry"]`, want: true},
		{source: `claims.level >= 5`, want: true},
		{source: `"admin" in claims["realm_access.roles"]`, want: true},
		{source: `claims["https://example.com/site"].country == "CH"`, want: true},
		{source: `has(claims.missing) && claims.missing == "x"`},
		{source: `size(groups) == 0`, who: many, want: true},
		{source: `"x" in claims`, who: many},
	} {
		t.Run(tt.source, func(t *testing.T) {
			t.Parallel()
			e, err := compiler(t, nil).Compile(tt.source)
			if err != nil {
				t.Fatal(err)
			}
			who := tt.who
			if who == nil {
				who = alice()
			}
			if got, err := e.Judge(who); got != tt.want || err != nil {
				t.Errorf("Judge() = %t, %v; want %t", got, err, tt.want)
			}
		})
	}
}

// TestCompile_Refuses: an error says where the fault is, and what can be written.
func TestCompile_Refuses(t *testing.T) {
	t.Parallel()
	nested := `groups.all(a, groups.exists(b, a == b + "x"))`
	for source, want := range map[string]string{
		``:                                  "line 1",
		`"a" in`:                            "line 1, column 7",
		"user == \"a\" &&\n  mail == \"b\"": "line 2, column 3: undeclared reference to 'mail'; an expression sees user, provider, groups and claims",
		`user + "x"`:                        "must be true or false, but is of type string",
		`claims.department`:                 "must be true or false",
		`user == 1`:                         "line 1, column 6",
		`user.matches("(")`:                 "line 1",
		nested:                              "may take too long",
		`groups.all(a, groups.all(b, groups.all(c, a == b && b == c)))`: "may take too long",
		`request.path == "/"`:                         "undeclared reference to 'request'",
		strings.Repeat("(", 100) + "true":             "line 1",
		`user == "` + strings.Repeat("x", 5000) + `"`: "…`",
	} {
		_, err := compiler(t, nil).Compile(source)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Compile(%.40q) = %v, want %q in it", source, err, want)
		}
		if err != nil && len(err.Error()) > 500 {
			t.Errorf("Compile(%.40q): an error of %d bytes", source, len(err.Error()))
		}
	}
}

// TestJudge_Fails: what cannot be evaluated is told, without a value of the user's.
func TestJudge_Fails(t *testing.T) {
	t.Parallel()
	long := alice()
	long.Extra["many"] = slices.Repeat([]any{strings.Repeat("a", 1000)}, 50_000) // from a provider module without limits
	for source, who := range map[string]*identity.Claims{
		`claims.missing == "x"`:                        alice(),
		`claims.department > 5`:                        alice(),
		`claims.department`:                            nil, // refused at load
		`claims.many.all(m, m.contains("b") == false)`: long,
	} {
		var told error
		e, err := compiler(t, func(_ string, _ *identity.Claims, err error) { told = err }).Compile(source)
		if who == nil {
			if err == nil {
				t.Errorf("Compile(%s) is accepted", source)
			}
			continue
		}
		if err != nil {
			t.Errorf("Compile(%s) = %v", source, err)
			continue
		}
		if holds, err := e.Judge(who); holds || err == nil || !errors.Is(told, err) {
			t.Errorf("Judge(%s) = %t, %v; told %v", source, holds, err, told)
		}
		if told != nil && strings.Contains(told.Error(), "physics") {
			t.Errorf("Judge(%s): the error has a value: %v", source, told)
		}
	}
}

func TestLooks(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]policy.Looks{
		`true`:                                  {},
		`user == "x" && provider == "y"`:        {User: true},
		`"a" in groups`:                         {Groups: true},
		`claims.a == 1 || claims["b c"] == 2`:   {Claims: []string{"a", "b c"}},
		`has(claims.a) && claims.a == 1`:        {Claims: []string{"a"}},
		`"a" in claims`:                         {Claims: []string{"a"}},
		`claims.a.b == 1`:                       {Claims: []string{"a"}},
		`claims[user] == 1`:                     {User: true, AllClaims: true},
		`claims.all(k, k != "x")`:               {AllClaims: true},
		`size(claims) == 0 && claims.a == "b"`:  {Claims: []string{"a"}, AllClaims: true},
		`[claims].exists(c, c.department == 1)`: {AllClaims: true},
	} {
		e, err := compiler(t, nil).Compile(source)
		if err != nil {
			t.Errorf("Compile(%s) = %v", source, err)
			continue
		}
		got := e.Looks()
		if got.User != want.User || got.Groups != want.Groups || got.AllClaims != want.AllClaims || !slices.Equal(got.Claims, want.Claims) {
			t.Errorf("Looks(%s) = %+v, want %+v", source, got, want)
		}
	}
}

func FuzzCompile(f *testing.F) {
	for _, source := range []string{`"a" in groups`, `claims.a.b[0] == {"x": 1}`, `groups.map(g, g + "x").exists(x, x.matches("a+"))`, "((((", "\x00"} {
		f.Add(source)
	}
	c, err := expression.New(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, source string) {
		e, err := c.Compile(source)
		if err != nil {
			return
		}
		_, _ = e.Judge(alice())
		e.Looks()
	})
}

// An error says of which type a claim is, without its value: providers write numbers as text.
func TestJudge_NamesTheTypesOfClaims(t *testing.T) {
	t.Parallel()
	e, err := compiler(t, func(string, *identity.Claims, error) {}).Compile(`claims.department >= 3 && claims.level > 2 && claims.missing == 1`)
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.Judge(alice())
	if err == nil || !strings.Contains(err.Error(), "no such overload; claim department is of type string; claim level is of type double") || strings.Contains(err.Error(), "physics") {
		t.Error(err)
	}
	if _, err := compiler(t, nil).Compile(`claims.department = "physics"`); err == nil || !strings.Contains(err.Error(), "compared by ==") {
		t.Error(err)
	}
}
