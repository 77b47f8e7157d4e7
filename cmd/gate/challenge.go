package main

import "strings"

// resourceMetadataOf returns the parameter resource_metadata (RFC 9728, section
// 5.1) of the first Bearer or DPoP challenge that has it.
func resourceMetadataOf(headers []string) string {
	for _, h := range headers {
		scheme := ""
		for rest := h; ; {
			rest = strings.TrimLeft(rest, " \t,")
			var name string
			if name, rest = cutToken(rest); name == "" {
				break
			}
			after := strings.TrimLeft(rest, " \t")
			if !strings.HasPrefix(after, "=") {
				scheme = strings.ToLower(name)
				continue
			}
			value, remaining := cutValue(strings.TrimLeft(strings.TrimLeft(after, "="), " \t"))
			if strings.EqualFold(name, "resource_metadata") && (scheme == "bearer" || scheme == "dpop") {
				return value
			}
			rest = remaining
		}
	}
	return ""
}

// cutToken takes a token off the front (RFC 9110, section 5.6.2), with the
// slash of token68.
func cutToken(s string) (token, rest string) {
	end := strings.IndexFunc(s, func(r rune) bool {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		return !letter && !strings.ContainsRune("!#$%&'*+-.^_`|~/", r)
	})
	if end < 0 {
		end = len(s)
	}
	return s[:end], s[end:]
}

// cutValue takes a token or a quoted string off the front.
func cutValue(s string) (value, rest string) {
	if !strings.HasPrefix(s, `"`) {
		return cutToken(s)
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return b.String(), s[i+1:]
		case s[i] == '\\' && i+1 < len(s):
			i++
		}
		b.WriteByte(s[i])
	}
	return "", "" // the quote is not closed
}
