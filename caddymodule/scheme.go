package caddymodule

import (
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// schemeOf is how the browser reached us, "https" or "http": by TLS of our own, or
// by the word of a trusted proxy. What such a proxy says and is neither is never
// taken for https; it is logged once, since then nobody can sign in.
func (a *App) schemeOf(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	forwarded, ok := r.Header["X-Forwarded-Proto"]
	if !ok || !fromTrustedProxy(r) {
		return "http"
	}
	scheme, known := forwardedScheme(forwarded)
	if !known && !a.unknownProto.Swap(true) {
		a.logger.WarnContext(r.Context(), "a trusted proxy sent an X-Forwarded-Proto that is not a scheme, so the request counts as plain http; have the proxy send https or http",
			"value", shortened(strings.Join(forwarded, ", ")), "host", shortened(r.Host), "proxy", r.RemoteAddr)
	}
	return scheme
}

// fromTrustedProxy reports whether the connection is one of trusted_proxies.
func fromTrustedProxy(r *http.Request) bool {
	trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool)
	return trusted
}

// forwardedScheme reads X-Forwarded-Proto. Proxies that pass it along make a list
// of it, whose first word is about the browser. Traefik says ws and wss of a
// WebSocket's handshake (authelia#655), which are http and https to cookies, to
// origins and to our own addresses.
func forwardedScheme(lines []string) (scheme string, known bool) {
	for _, line := range lines {
		for word := range strings.SplitSeq(line, ",") {
			word = strings.Trim(word, " \t")
			switch strings.ToLower(word) { // not EqualFold, to which ſ is an s
			case "":
				continue // an empty element of a list (RFC 9110, section 5.6.1)
			case "https", "wss":
				return "https", true
			case "http", "ws":
				return "http", true
			}
			return "http", false
		}
	}
	return "http", false
}

// shortened is as much of what a request says as a log line needs.
func shortened(s string) string { return strings.ToValidUTF8(s[:min(len(s), 100)], "") }
