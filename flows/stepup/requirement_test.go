package stepup

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// A time that is yet to come would be recent for as long as its author likes. A clock that
// is a little ahead is not held against anybody.
func TestRequirement_IsMet(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	at := func(ago time.Duration, acr string) *identity.Claims {
		return &identity.Claims{ACR: acr, AuthTime: now.Add(-ago)}
	}
	recent := &Requirement{MaxAge: 10 * time.Minute}
	gold := &Requirement{ACR: []string{"gold"}, MaxAge: 10 * time.Minute}
	for name, tt := range map[string]struct {
		q    *Requirement
		c    *identity.Claims
		want bool
	}{
		"just now":                  {recent, at(0, ""), true},
		"at the limit":              {recent, at(10*time.Minute, ""), true},
		"past it":                   {recent, at(10*time.Minute+time.Second, ""), false},
		"by a clock that is ahead":  {recent, at(-time.Minute, ""), true},
		"in the future":             {recent, at(-time.Minute-time.Second, ""), false},
		"in a far future":           {recent, at(-30*365*24*time.Hour, ""), false},
		"not known":                 {recent, &identity.Claims{}, false},
		"the class":                 {gold, at(time.Minute, "gold"), true},
		"the class, in the future":  {gold, at(-time.Hour, "gold"), false},
		"another class":             {gold, at(0, "bronze"), false},
		"the class, at any time":    {&Requirement{ACR: []string{"gold"}}, at(1000*time.Hour, "gold"), true},
		"nothing but scopes":        {&Requirement{Scope: []string{"a"}}, &identity.Claims{}, true},
		"a level, in the future":    {gold, &identity.Claims{Levels: []identity.Level{{ACR: "gold", At: now.Add(time.Hour), Until: now.Add(2 * time.Hour)}}}, false},
		"a level of a minute ago":   {gold, &identity.Claims{Levels: []identity.Level{{ACR: "gold", At: now.Add(-time.Minute), Until: now.Add(2 * time.Hour)}}}, true},
		"a level that is no longer": {gold, &identity.Claims{Levels: []identity.Level{{ACR: "gold", At: now.Add(-time.Minute), Until: now}}}, false},
	} {
		if got := tt.q.IsMet(tt.c, now); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
