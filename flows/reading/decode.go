package reading

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// decode decodes every valid escape and leaves the others, as lenient servers
// do.
func decode(p string) string { return unescape(p, false) }

// decodeAllButSlashes leaves slashes and backslashes escaped, as servers do
// that split a path into segments afterwards.
func decodeAllButSlashes(p string) string { return unescape(p, true) }

func unescape(p string, keepSlashes bool) string {
	if !strings.Contains(p, "%") {
		return p
	}
	var b strings.Builder
	for i := 0; i < len(p); i++ {
		if p[i] == '%' && i+2 < len(p) {
			high, low := unhex(p[i+1]), unhex(p[i+2])
			c := high<<4 | low
			if high < 16 && low < 16 && (!keepSlashes || c != '/' && c != '\\') {
				b.WriteByte(c)
				i += 2
				continue
			}
		}
		b.WriteByte(p[i])
	}
	return b.String()
}

// unhex is the value of a hexadecimal digit, or 16.
func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 16
}

// overlong reads UTF-8 that is longer than it need be: C0 AF is a slash to who
// does not check (RFC 3629, section 10).
func overlong(p string) string { return readOverlong(p, isContinuation) }

// overlongLoose takes the low bits of any byte after C0 or C1, as IIS once did
// (MS00-078).
func overlongLoose(p string) string {
	loose := readOverlong(p, func(byte) bool { return true })
	if strings.IndexByte(loose, 0) >= 0 {
		return "" // Latin-1 has such bytes in honest paths
	}
	return loose
}

func isContinuation(c byte) bool { return c&0xc0 == 0x80 }

func readOverlong(p string, follows func(byte) bool) string {
	if isASCII(p) {
		return ""
	}
	var b strings.Builder
	for i := 0; i < len(p); i++ {
		c, n := shortest(p[i:], follows)
		b.WriteByte(c)
		i += n - 1
	}
	return b.String()
}

// shortest is the ASCII character that the first bytes of s stand for, or the
// first byte itself, and how many bytes were read.
func shortest(s string, follows func(byte) bool) (byte, int) {
	n := 0
	switch s[0] {
	case 0xc0, 0xc1:
		n = 2
	case 0xe0:
		n, follows = 3, isContinuation
	case 0xf0:
		n, follows = 4, isContinuation
	case 0xf8:
		n, follows = 5, isContinuation
	case 0xfc:
		n, follows = 6, isContinuation
	}
	if n == 0 || len(s) < n {
		return s[0], 1
	}
	value := 0
	if n == 2 {
		value = int(s[0] & 1)
	}
	for i := 1; i < n; i++ {
		if !follows(s[i]) {
			return s[0], 1
		}
		if value = value<<6 | int(s[i]&0x3f); value >= utf8.RuneSelf {
			return s[0], 1
		}
	}
	return byte(value), n
}

// utf16Escapes reads %u002f, which IIS and ECMAScript's unescape take.
func utf16Escapes(p string) string {
	if !strings.Contains(p, "%u") && !strings.Contains(p, "%U") {
		return ""
	}
	var b strings.Builder
	for i := 0; i < len(p); i++ {
		if p[i] == '%' && i+6 <= len(p) && p[i+1]|0x20 == 'u' {
			if unit, err := strconv.ParseUint(p[i+2:i+6], 16, 16); err == nil {
				b.WriteRune(rune(unit))
				i += 5
				continue
			}
		}
		b.WriteByte(p[i])
	}
	return b.String()
}

// compatible replaces full-width and other compatible forms by what they stand
// for (NFKC).
func compatible(p string) string {
	if isASCII(p) || !utf8.ValidString(p) {
		return ""
	}
	return norm.NFKC.String(p)
}

// folded compares as servers do that compare in capitals: a dotless i and a long
// s have the capitals I and S.
func folded(p string) string {
	if isASCII(p) || !utf8.ValidString(p) {
		return ""
	}
	return strings.ToLower(strings.ToUpper(p))
}

// bestFit replaces what Windows takes for a slash, a backslash, or a dot where
// it has to make do with a code page.
func bestFit(p string) string {
	if isASCII(p) {
		return ""
	}
	return fits.Replace(p)
}

var fits = strings.NewReplacer(
	"\u2044", "/", "\u2215", "/", "\uff0f", "/", "\u29f8", "/",
	"\u2216", `\`, "\uff3c", `\`, "\u29f5", `\`, "\ufe68", `\`, "\u00a5", `\`, "\u20a9", `\`,
	"\uff0e", ".", "\u2024", ".", "\ufe52", ".", "\u3002", ".", "\u00b7", ".",
)

// lowBytes keeps the low byte of each character, as who writes UTF-16 as Latin-1
// does.
func lowBytes(p string) string {
	if isASCII(p) || !utf8.ValidString(p) {
		return ""
	}
	b := make([]byte, 0, len(p))
	for _, r := range p {
		if byte(r) == 0 {
			return "" // there are such characters in honest paths
		}
		b = append(b, byte(r))
	}
	return string(b)
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
