package identity_test

import (
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

func TestVerifiedEmail(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, email, want string }{
		{"plain", "alice@example.com", "alice@example.com"},
		{"upper case", "Alice@Example.COM", "alice@example.com"},
		{"plus and dots", "a.b+c@example.com", "a.b+c@example.com"},
		{"trailing dot in the local part", "a.@example.com", "a.@example.com"},
		{"UTF-8 local part", "müller@example.com", "müller@example.com"},
		{"one label", "root@localhost", "root@localhost"},
		{"punycode", "a@xn--mller-kva.de", "a@xn--mller-kva.de"},

		{"two at signs", "a@evil.com@corp.com", ""},
		{"list", "a@corp.com,evil", ""},
		{"quoted", `"x@corp.com"@evil.com`, ""},
		{"quoted without at sign", `"x"@corp.com`, ""},
		{"trailing dot", "a@corp.com.", ""},
		{"leading dot", "a@.corp.com", ""},
		{"empty label", "a@corp..com", ""},
		{"leading hyphen", "a@-corp.com", ""},
		{"underscore in the domain", "a@corp_x.com", ""},
		{"NUL", "a@corp.com\x00", ""},
		{"NUL inside", "a\x00@corp.com", ""},
		{"newline", "a@corp.com\n", ""},
		{"space", "a @corp.com", ""},
		{"angle brackets", "A <a@corp.com>", ""},
		{"comment", "a(x)@corp.com", ""},
		{"address literal", "a@[127.0.0.1]", ""},
		{"no local part", "@corp.com", ""},
		{"no domain", "a@", ""},
		{"no at sign", "corp.com", ""},
		{"empty", "", ""},
		{"Kelvin sign in the domain", "a@\u212ade.org", ""},
		{"full-width at sign", "a\uff20corp.com@evil.com", "a\uff20corp.com@evil.com"},
		{"zero-width space", "a\u200b@corp.com", ""},
		{"right-to-left override", "a\u202e@corp.com", ""},
		{"no-break space", "a\u00a0@corp.com", ""},
		{"invalid UTF-8", "a\xff@corp.com", ""},
		{"too long", strings.Repeat("a", 250) + "@corp.com", ""},
		{"label too long", "a@" + strings.Repeat("a", 64) + ".com", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := identity.Claims{Email: tt.email, EmailVerified: true}
			if got := c.VerifiedEmail(); got != tt.want {
				t.Errorf("VerifiedEmail() = %q, want %q", got, tt.want)
			}
			_, domain, _ := strings.Cut(tt.want, "@")
			if got := c.VerifiedDomain(); got != domain {
				t.Errorf("VerifiedDomain() = %q, want %q", got, domain)
			}
			if got := c.HasEmail(tt.email); got != (tt.want != "") {
				t.Errorf("HasEmail(itself) = %t", got)
			}
			if c.HasDomain("corp.com") && domain != "corp.com" {
				t.Error("HasDomain(corp.com) = true")
			}
			c.EmailVerified = false
			if c.VerifiedEmail() != "" || c.VerifiedDomain() != "" || c.HasEmail(tt.email) || c.HasDomain(domain) {
				t.Error("an unverified address counts")
			}
		})
	}
}

func TestKelvinSignIsNoK(t *testing.T) {
	t.Parallel()
	c := identity.Claims{Email: "\u212aim@corp.com", EmailVerified: true}
	if c.HasEmail("kim@corp.com") || c.VerifiedEmail() == "kim@corp.com" {
		t.Error("an address with the Kelvin sign passes for kim@corp.com")
	}
}

func FuzzVerifiedEmail(f *testing.F) {
	for _, s := range []string{"a@b.c", "a@b@c", "\u212a@K.org", `"a"@b`, "a@b.", "\x00@b", "Ä@B.C"} {
		f.Add(s, "b.c")
	}
	f.Fuzz(func(t *testing.T, email, domain string) {
		c := identity.Claims{Email: email, EmailVerified: true}
		got := c.VerifiedEmail()
		if got == "" {
			if c.VerifiedDomain() != "" || c.HasEmail(email) || c.HasDomain(domain) {
				t.Fatalf("%q is malformed and matches", email)
			}
			return
		}
		if strings.Count(got, "@") != 1 || len(got) != len(email) || strings.ContainsAny(got, " ,;\"\x00\r\n\t<>") {
			t.Fatalf("VerifiedEmail(%q) = %q", email, got)
		}
		if c.HasDomain(domain) && !strings.HasSuffix(got, "@"+strings.ToLower(domain)) {
			t.Fatalf("%q is of %q", email, domain)
		}
		again := identity.Claims{Email: got, EmailVerified: true}
		if again.VerifiedEmail() != got || !again.HasEmail(email) {
			t.Fatalf("lowering %q twice differs", email)
		}
	})
}
