package local_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/provider/local"
)

// Whoever had the former password must not stay signed in (OWASP ASVS 4.0, 3.3.3).
func TestCurrent_TellsAnotherPasswordHash(t *testing.T) {
	t.Parallel()
	s := &suffixed{}
	then, err := newProvider(t, s, nil).Authenticate(t.Context(), "alice", "secret")
	if err != nil {
		t.Fatal(err)
	}
	before := then
	before.Credential = ""
	for name, c := range map[string]struct {
		edit   func(*local.Config)
		claims identity.Claims
		want   error
	}{
		"the same":                  {nil, then, nil},
		"another group":             {func(c *local.Config) { c.Users[0].Groups = []string{"other"} }, then, nil},
		"another password":          {func(c *local.Config) { c.Users[0].PasswordHash = "$plain$changed" }, then, provider.ErrGone},
		"the same, salted anew":     {func(c *local.Config) { c.Users[0].PasswordHash = "$plain2$secret" }, then, provider.ErrGone},
		"no user":                   {func(c *local.Config) { c.Users = c.Users[1:] }, then, provider.ErrGone},
		"of before fingerprints":    {nil, before, nil},
		"of before, another now":    {func(c *local.Config) { c.Users[0].PasswordHash = "$plain$changed" }, before, nil},
		"of before, no user":        {func(c *local.Config) { c.Users = c.Users[1:] }, before, provider.ErrGone},
		"another user's same hash":  {func(c *local.Config) { c.Users[0].Name, c.Users[1].Name = "bob", "alice" }, then, provider.ErrGone},
		"fingerprint of somebody's": {nil, func() identity.Claims { c := then; c.Credential = "x"; return c }(), provider.ErrGone},
	} {
		p := newProvider(t, s, c.edit)
		now, err := p.Current(c.claims)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if c.want == nil && now.Credential == "" {
			t.Errorf("%s: no fingerprint", name)
		}
	}
	if ids := newProvider(t, s, nil).IDs(); !slices.Equal(ids, []string{"alice", "bob", "carol", "dora", "empty"}) {
		t.Errorf("users: %v", ids)
	}
}
