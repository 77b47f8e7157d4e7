package identity_test

import (
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

func TestUnread(t *testing.T) {
	t.Parallel()
	c := identity.Claims{Email: "a@example.com", EmailVerified: true, Groups: []string{"staff"}}
	if !c.InGroup("staff") || c.MayBeInGroup("x") || c.VerifiedEmail() == "" || c.VerifiedDomain() == "" {
		t.Error("what was read does not count")
	}
	c.SetUnread(identity.ClaimGroups, identity.CauseShape)
	c.SetUnread(identity.ClaimEmail, identity.CauseUntold)
	if c.InGroup("staff") || !c.MayBeInGroup("x") {
		t.Error("groups that could not be read count as read")
	}
	if c.VerifiedEmail() != "" || c.VerifiedDomain() != "" || c.HasEmail("a@example.com") || c.HasDomain("example.com") {
		t.Error("an address that could not be read counts as verified")
	}
	if !c.MayHaveEmail("b@example.net") || !c.MayHaveDomain("example.net") || c.MayHaveEmail("no address") {
		t.Error("an address that could not be read may be any")
	}
}

func TestIsGroup(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		"staff": true, "Domain Users": true, "/a/b": true, "{\"x\"}": true, "Größe": true, strings.Repeat("g", 255): true,
		"": false, " a": false, "a\u00a0": false, "a\nb": false, "\xff": false, "a\ufffd": false, "a\u2029": false, strings.Repeat("g", 256): false,
	} {
		if got := identity.IsGroup(s); got != want {
			t.Errorf("IsGroup(%.20q) = %t", s, got)
		}
	}
}

// FuzzMayHave: whoever a line that allows would find is found by one that denies.
func FuzzMayHave(f *testing.F) {
	f.Add("a@evil.com", "a@evil.com", "evil.com")
	f.Add("\uff4d@\uff45vil.com", "m@evil.com", "evil.com")
	f.Add("a@b\u00fccher.example", "a@xn--bcher-kva.example", "xn--bcher-kva.example")
	f.Fuzz(func(t *testing.T, have, email, domain string) {
		c := &identity.Claims{Email: have, EmailVerified: true}
		if c.HasEmail(email) && !c.MayHaveEmail(email) || c.HasDomain(domain) && !c.MayHaveDomain(domain) {
			t.Fatalf("%q is found by an allow line for %q or %q, and missed by a deny line", have, email, domain)
		}
		if have != "" && !identity.IsAddress(have) && identity.IsAddress(email) && strings.Count(have, "@") != 1 && !c.MayHaveEmail(email) {
			t.Fatalf("%q cannot be read and is not kept out", have)
		}
	})
}
