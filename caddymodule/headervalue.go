package caddymodule

import "strings"

const hexDigits = "0123456789ABCDEF"

// headerValue makes a value fit for a header: bytes that a header cannot carry
// unharmed (controls, non-ASCII, a space at either end) and "%" itself become
// %XX, so that two different values never become the same one and nothing ends
// the header. A plain value stays as it is and costs nothing.
func headerValue(s string) string { return escapeValue(s, 0) }

// groupsValue joins group names with commas. A comma inside a name becomes %2C.
func groupsValue(groups []string) string { return joinValues(groups, ',') }

// joinValues joins values by a separator, which inside a value becomes %XX.
func joinValues(groups []string, separator byte) string {
	switch len(groups) {
	case 0:
		return ""
	case 1:
		return escapeValue(groups[0], separator)
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
			b.WriteByte(separator)
		}
		b.WriteString(escapeValue(g, separator))
	}
	return b.String()
}

func escapeValue(s string, separator byte) string {
	first := 0
	for ; first < len(s); first++ {
		if mustEscape(s, first, separator) {
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
		if !mustEscape(s, i, separator) {
			b.WriteByte(s[i])
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hexDigits[s[i]>>4])
		b.WriteByte(hexDigits[s[i]&15])
	}
	return b.String()
}

func mustEscape(s string, i int, separator byte) bool {
	c := s[i]
	if c-'!' < 0x7f-'!' { // a visible character of ASCII
		return c == '%' || c == separator
	}
	return c != ' ' || c == separator || i == 0 || i == len(s)-1
}
