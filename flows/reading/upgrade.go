package reading

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

const websocket = "websocket"

// Upgrade returns the one protocol that a request asks to switch to, as it is
// spelt there, or "" where it asks for none in a way that all servers read alike: one
// line Upgrade with one token, named by Connection, in HTTP/1.1 (RFC 9110,
// section 7.8). A WebSocket is opened by a GET without content (RFC 6455,
// section 4.1).
func Upgrade(r *http.Request) string {
	lines := r.Header["Upgrade"]
	if len(lines) != 1 || r.ProtoMajor != 1 || r.ProtoMinor != 1 {
		return ""
	}
	if !httpguts.HeaderValuesContainsToken(r.Header["Connection"], "upgrade") {
		return ""
	}
	protocol := strings.Trim(lines[0], " \t")
	if !isProtocol(protocol) {
		return ""
	}
	if IsWebSocket(protocol) && (r.Method != http.MethodGet || r.ContentLength != 0) {
		return ""
	}
	return protocol
}

// IsWebSocket reports whether a protocol is the one that may always pass.
func IsWebSocket(protocol string) bool { return strings.EqualFold(protocol, websocket) }

// StripUpgrade makes an ordinary request of one that asks for an upgrade.
func StripUpgrade(h http.Header) {
	delete(h, "Upgrade")
	delete(h, "Http2-Settings")
	lines, ok := h["Connection"]
	if !ok {
		return
	}
	var kept []string
	for _, line := range lines {
		var tokens []string
		for token := range strings.SplitSeq(line, ",") {
			token = strings.TrimSpace(token)
			if token != "" && !IsUpgradeHeader(token) {
				tokens = append(tokens, token)
			}
		}
		if len(tokens) > 0 {
			kept = append(kept, strings.Join(tokens, ", "))
		}
	}
	if len(kept) == 0 {
		delete(h, "Connection")
		return
	}
	h["Connection"] = kept
}

// IsUpgradeHeader reports whether a header asks for an upgrade, or has settings
// for one (RFC 7540, section 3.2.1).
func IsUpgradeHeader(name string) bool {
	return strings.EqualFold(name, "Upgrade") || strings.EqualFold(name, "HTTP2-Settings")
}

// CheckProtocol refuses a protocol that nobody may allow: requests in an
// upgraded connection pass no guard, and these protocols carry requests like
// ours.
func CheckProtocol(protocol string) error {
	if !isProtocol(protocol) {
		return fmt.Errorf("%q is not an upgrade protocol; write one such as spdy/3.1", protocol)
	}
	name, _, _ := strings.Cut(strings.ToLower(protocol), "/")
	if slices.Contains([]string{"h2c", "h2", "h3", "http", "https", "tls"}, name) {
		return fmt.Errorf("an upgrade to %s would carry requests past the guard; use HTTP/2 over TLS, and remove %s", protocol, protocol)
	}
	return nil
}

// isProtocol reports whether s is a name and perhaps a version, both tokens.
func isProtocol(s string) bool {
	name, version, versioned := strings.Cut(s, "/")
	return httpguts.ValidHeaderFieldName(name) && (!versioned || httpguts.ValidHeaderFieldName(version))
}
