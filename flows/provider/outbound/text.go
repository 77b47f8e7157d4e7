package outbound

import (
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// maxToken is the most bytes that an access or refresh token may have.
	maxToken = 64 << 10
	// maxSeconds is a hundred years.
	maxSeconds = 100 * 365 * 24 * 3600
)

// Printable is what of a provider's text may stand in an error or a log: one
// short line of ASCII.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if notVisible(r) {
			return '?'
		}
		return r
	}, s[:min(len(s), 200)])
}

// Without is Printable of a text that quotes none of the secrets, as a provider
// may that explains what was wrong with one.
func Without(s string, secrets ...string) string {
	for _, secret := range secrets {
		if secret != "" {
			s = strings.ReplaceAll(s, secret, "[secret]")
			s = strings.ReplaceAll(s, url.QueryEscape(secret), "[secret]")
		}
	}
	return Printable(s)
}

// IsToken accepts the characters of RFC 6749, appendix A.12, so that a token
// cannot break out of the header that carries it.
func IsToken(s string) bool {
	return s != "" && len(s) <= maxToken && !strings.ContainsFunc(s, notVisible)
}

// IsBearer reports whether a token of a type is used as a bearer token (RFC 6749,
// section 7.1; RFC 6750). One that is bound to a key of somebody else's is not ours
// to use, and must not be sent as if it were. A type that is missing is taken for
// Bearer, as clients do.
func IsBearer(tokenType string) bool {
	return tokenType == "" || strings.EqualFold(tokenType, "Bearer")
}

func notVisible(r rune) bool { return r < ' ' || r > '~' }

// Unfit characters can neither be shown nor stand in a header.
func Unfit(r rune) bool {
	return unicode.IsControl(r) || r == utf8.RuneError || r == '\u2028' || r == '\u2029'
}

// Seconds reads a lifetime from a token answer: a number, or a number in a
// string as some providers write it. 0 is none.
func Seconds(v any) int64 {
	var f float64
	switch n := v.(type) {
	case float64:
		f = n
	case int64: // of an answer in form encoding
		f = float64(n)
	case string:
		f, _ = strconv.ParseFloat(n, 64)
	}
	if f >= 1 && f <= maxSeconds {
		return int64(f)
	}
	return 0
}
