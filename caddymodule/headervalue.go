package caddymodule

import "strings"

const hexDigits = "0123456789ABCDEF"

// headerValue makes a value fit for a header: bytes that a header cannot carry
// unharmed (controls, non-ASCII, a space at either end) and "%" itself become
// %XX, so that two different values never become the same one and nothing ends
// the header. A plain value stays as it is and costs nothing.
func headerValue(s string) string { return escapeValue(s, false) }

// groupsValue joins group names with commas. A comma inside a name becomes %2C.
func groupsValue(groups []string) string {
	switch len(groups) {
	case 0:
		return ""
	case 1:
		return escapeValue(groups[0], true)
	}
	size := len(groups)
	for _, g := range groups {
		size += len(g)
	}
	var b strings.Builder
	b.Grow(size)
	for _, g := range groups {
		if g == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(escapeValue(g, true))
	}
	return b.String()
}

func escapeValue(s string, comma bool) string {
	first := 0
	for ; first < len(s); first++ {
		if mustEscape(s, first, comma) {
			break
		}
	}
	if first == len(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 16)
	b.WriteString(s[:first])
	for i := first; i < len(s); i++ {
		if !mustEscape(s, i, comma) {
			b.WriteByte(s[i])
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hexDigits[s[i]>>4])
		b.WriteByte(hexDigits[s[i]&15])
	}
	return b.String()
}

func mustEscape(s string, i int, comma bool) bool {
	switch c := s[i]; {
	case c < ' ', c >= 0x7f, c == '%':
		return true
	case c == ' ':
		return i == 0 || i == len(s)-1
	case c == ',':
		return comma
	}
	return false
}
