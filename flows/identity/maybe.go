package identity

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// MayHaveEmail reports whether the user may have an e-mail address. Deny rules ask
// it: an unverified address counts, in each spelling that a mail server accepts,
// and one that cannot be read may be any. For an address of ASCII it does not
// allocate.
func (c *Claims) MayHaveEmail(email string) bool {
	local, domain, known := c.anyAddress()
	wantLocal, wantDomain, ok := splitAddress(email)
	switch {
	case !ok:
		return false
	case !known:
		return c.mayHaveAddress()
	}
	return EqualFoldASCII(domain, wantDomain) && sameLocalPart(local, wantLocal)
}

// MayHaveDomain is [Claims.MayHaveEmail] for all addresses of a domain.
func (c *Claims) MayHaveDomain(domain string) bool {
	_, have, known := c.anyAddress()
	if !known {
		return c.mayHaveAddress()
	}
	return EqualFoldASCII(have, domain)
}

// mayHaveAddress reports whether there is an address, read or not.
func (c *Claims) mayHaveAddress() bool { return c.Email != "" || c.IsUnread(ClaimEmail) }

// anyAddress is the address, verified or not, if it is known.
func (c *Claims) anyAddress() (local, domain string, known bool) {
	if c.Email == "" || c.IsUnread(ClaimEmail) {
		return "", "", false
	}
	if local, domain, known = splitAddress(c.Email); known {
		return local, domain, true
	}
	local, domain, _ = strings.Cut(c.Email, "@")
	if !isLocalPart(local) || !utf8.ValidString(domain) {
		return "", "", false
	}
	// What a resolver would ask for (UTS 46): full-width letters and dots, and
	// letters beyond ASCII, in their "xn--" form.
	domain, err := idna.Lookup.ToASCII(domain)
	if err != nil || len(local)+len("@")+len(domain) > maxAddress || !IsDomain(domain) {
		return "", "", false
	}
	return local, domain, true
}

// sameLocalPart compares in any case, and beyond ASCII in any width and
// composition.
func sameLocalPart(a, b string) bool {
	return EqualFoldASCII(a, b) || !isASCII(a+b) && folded(a) == folded(b)
}

func folded(s string) string { return strings.ToLower(norm.NFKC.String(s)) }

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
