package caddymodule

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// secretParameters are those of our own addresses that must be in no log. Some
// of them are worthless once used, but a log may be read at once. Those of the second
// line belong in no URL: a program that puts one there is refused, and has to
// change what it calls, not its secret.
var secretParameters = []string{
	"code", "state", "request", "request_uri", "id_token_hint", "logout_token", "user_code", "nonce", "token",
	"access_token", "client_assertion", "client_secret", "code_verifier", "device_code", "password", "refresh_token",
}

// serveOwn serves one of our own addresses. Caddy's access log has the URI, the
// Referer and the answer's headers whole, so where one of them holds an address
// with a code, a state or a token, the request is left out there and logged by us
// without its query. Of the answer every header is looked at, since more than one
// can hold an address: Location, Refresh, HX-Redirect, Link.
func (a *App) serveOwn(w http.ResponseWriter, r *web.Request, serve func(http.ResponseWriter, *web.Request)) {
	recorder := caddyhttp.NewResponseRecorder(w, nil, nil)
	serve(recorder, r)
	path, query, _ := strings.Cut(r.URI, "?")
	if !hasSecret(query) && !hasSecret(queryOf(r.Referer())) && !leadsToSecret(recorder.Header()) && !bringsOwnHeader(r.Header) {
		return
	}
	caddyhttp.SetVar(r.Context(), caddyhttp.LogSkipVar, true)
	a.logger.InfoContext(r.Context(), "handled request", "method", r.Method, "host", r.Host, "path", path,
		"status", recorder.Status(), "client_ip", r.ClientIP)
}

// leadsToSecret reports whether a header of an answer holds an address with one of
// the parameters, in its query or in its fragment, and whatever stands around it.
func leadsToSecret(h http.Header) bool {
	for _, values := range h {
		for _, value := range values {
			for address := range strings.FieldsFuncSeq(value, betweenAddresses) {
				_, query, _ := strings.Cut(address, "?")
				_, fragment, _ := strings.Cut(address, "#")
				if hasSecret(query) || hasSecret(fragment) {
					return true
				}
			}
		}
	}
	return false
}

// betweenAddresses reports whether a character of a header's value cannot be part
// of a URL (RFC 3986, section 2).
func betweenAddresses(c rune) bool { return c <= ' ' || strings.ContainsRune("\"<>", c) }

func queryOf(address string) string {
	_, query, _ := strings.Cut(address, "?")
	query, _, _ = strings.Cut(query, "#")
	return query
}

// hasSecret reports whether a raw query has one of the parameters.
func hasSecret(query string) bool {
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if name == "" || value == "" {
			continue
		}
		if decoded, err := url.QueryUnescape(name); err == nil {
			name = decoded
		}
		for _, secret := range secretParameters {
			if strings.EqualFold(name, secret) {
				return true
			}
		}
	}
	return false
}
