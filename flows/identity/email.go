package identity

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of an e-mail address, in bytes (RFC 5321, section 4.5.3.1, erratum
// 1690; RFC 1035, section 2.3.4).
const (
	maxAddress = 254
	maxLabel   = 63
)

// splitAddress cuts an e-mail address at its only "@". It refuses whatever two
// readers could understand differently: a second "@" (CVE-2026-40574), quoted
// local parts, comments, lists, address literals, a domain with a trailing dot
// or outside of the letters, digits and hyphens of DNS. An internationalised
// domain is accepted in its "xn--" form only.
func splitAddress(email string) (local, domain string, ok bool) {
	if len(email) > maxAddress || !utf8.ValidString(email) {
		return "", "", false
	}
	local, domain, ok = strings.Cut(email, "@")
	if !ok || !isLocalPart(local) || !IsDomain(domain) {
		return "", "", false
	}
	return local, domain, true
}

// isLocalPart accepts the unquoted characters of RFC 5322, section 3.2.3 and
// the printable ones of RFC 6532. Where the dots stand is not judged: large
// operators have given out addresses that end in one.
func isLocalPart(s string) bool {
	for _, r := range s {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		case r < utf8.RuneSelf:
			if !strings.ContainsRune(".!#$%&'*+-/=?^_`{|}~", r) {
				return false
			}
		case !unicode.IsGraphic(r) || unicode.IsSpace(r):
			return false
		}
	}
	return s != ""
}

// IsAddress reports whether a policy's rule for an e-mail address could ever
// match.
func IsAddress(email string) bool {
	_, _, ok := splitAddress(email)
	return ok
}

// IsDomain reports whether s is the domain of an e-mail address that a rule
// could ever match: labels of letters, digits and hyphens, separated by single
// dots.
func IsDomain(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > maxLabel || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			c := label[i] | 0x20
			if (c < 'a' || c > 'z') && (label[i] < '0' || label[i] > '9') && label[i] != '-' {
				return false
			}
		}
	}
	return true
}

// VerifiedDomain is the lower-case domain of VerifiedEmail, or "".
func (c *Claims) VerifiedDomain() string {
	if !c.emailCounts() || c.DomainUnverified {
		return ""
	}
	_, domain, _ := splitAddress(c.Email)
	return lowerASCII(domain)
}

// VerifiedEmail is the lower-case verified e-mail address, or "" if there is
// none or it is malformed. Only ASCII letters are lowered: Unicode's rules make
// a "k" of the Kelvin sign, and so another person's address.
func (c *Claims) VerifiedEmail() string {
	if !c.emailCounts() || !IsAddress(c.Email) {
		return ""
	}
	return lowerASCII(c.Email)
}

// HasEmail reports whether the verified e-mail address is this one, in any
// ASCII case. It does not allocate.
func (c *Claims) HasEmail(email string) bool {
	return c.emailCounts() && EqualFoldASCII(c.Email, email) && IsAddress(c.Email)
}

// HasDomain reports whether the verified e-mail address is of this domain
// itself, in any ASCII case. It does not allocate.
func (c *Claims) HasDomain(domain string) bool {
	if !c.emailCounts() || c.DomainUnverified {
		return false
	}
	_, have, ok := splitAddress(c.Email)
	return ok && EqualFoldASCII(have, domain)
}

// emailCounts reports whether the address is verified, and still known to be the
// user's.
func (c *Claims) emailCounts() bool { return c.EmailVerified && !c.IsUnread(ClaimEmail) }

// EqualFoldASCII compares two strings, and ASCII letters in any case.
// strings.EqualFold would also take "ſ" for "s" and the Kelvin sign for "k".
func EqualFoldASCII(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lowerByte(a[i]) != lowerByte(b[i]) {
			return false
		}
	}
	return true
}

func lowerByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func lowerASCII(s string) string {
	for i := range len(s) {
		if lowerByte(s[i]) != s[i] {
			b := []byte(s)
			for j := i; j < len(b); j++ {
				b[j] = lowerByte(b[j])
			}
			return string(b)
		}
	}
	return s
}
