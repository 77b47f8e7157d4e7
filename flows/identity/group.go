package identity

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxGroup is the maximum length of a group's name, in bytes.
const MaxGroup = 255

// IsGroup reports whether s can be the name of a group: at most [MaxGroup] bytes of
// UTF-8, without control characters, line breaks, or space at either end.
func IsGroup(s string) bool {
	if s == "" || len(s) > MaxGroup || !utf8.ValidString(s) || strings.TrimSpace(s) != s {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || r == utf8.RuneError || r == '\u2028' || r == '\u2029'
	})
}
