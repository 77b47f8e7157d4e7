package caddymodule

import (
	"fmt"
	"net/netip"
	"strings"
)

// hostName is a Host header without its port and brackets, or "" where it is none:
// own addresses are built from it, and a client must not be able to make up any
// number of them, or one that a page or a log reads as something else. It is a DNS
// name in ASCII without a dot at its end, or an address (RFC 3986, section 3.2.2).
// Caddy matches hosts by their labels alone: `"onx.example.com` has three.
func hostName(host string) string {
	name, port := host, ""
	if strings.HasPrefix(host, "[") {
		end := strings.IndexByte(host, ']')
		if end < 0 {
			return ""
		}
		name, port = host[1:end], host[end+1:]
		if addr, err := netip.ParseAddr(name); err != nil || !addr.Is6() {
			return ""
		}
	} else {
		if i := strings.IndexByte(host, ':'); i >= 0 {
			name, port = host[:i], host[i:]
		}
		if !isHostName(name) {
			return ""
		}
	}
	if port != "" && !isPort(port) {
		return ""
	}
	return name
}

// checkHost refuses a name that no request could have: hosts are compared without
// their ports.
func checkHost(name string) error {
	if _, err := netip.ParseAddr(name); err == nil || isHostName(strings.ReplaceAll(name, "*", "x")) {
		return nil
	}
	return fmt.Errorf("hosts: %q is not a host name; write it without scheme, port, brackets and path, as app.example.com, *.example.com or ::1", name)
}

// isHostName reports whether s is a DNS name as hosts have it (RFC 1123, section
// 2.1), or an IPv4 address. An underscore is no part of those, but resolvers,
// browsers and people's zones have it.
func isHostName(s string) bool {
	if len(s) == 0 || len(s) > 253 {
		return false
	}
	label := 0 // its length so far
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '.':
			if label == 0 || s[i-1] == '-' {
				return false
			}
			label = 0
			continue
		case c == '-':
			if label == 0 {
				return false
			}
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_':
		default:
			return false
		}
		if label++; label > 63 {
			return false
		}
	}
	return label > 0 && s[len(s)-1] != '-'
}
