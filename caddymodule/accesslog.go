package caddymodule

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/flows"
)

// secretParameters are those of our own addresses that must be in no log. Some
// of them are worthless once used, but a log may be read at once. Those of the second
// line belong in no URL: a program that puts one there is refused, and has to
// change what it calls, not its secret.
var secretParameters = []string{
	"code", "state", "request", "request_uri", "id_token_hint", "logout_token", "user_code", "nonce", "token",
	"access_token", "client_assertion", "client_secret", "code_verifier", "device_code", "password", "refresh_token",
}

// serveOwn serves one of our own addresses. Caddy's access log has the URI and
// the response's Location whole, so where either holds a code, a state or a
// token, the request is left out there and logged by us without its query.
func (a *App) serveOwn(w http.ResponseWriter, r *flows.Request, serve func(http.ResponseWriter, *flows.Request)) {
	recorder := caddyhttp.NewResponseRecorder(w, nil, nil)
	serve(recorder, r)
	_, query, _ := strings.Cut(r.URI, "?")
	if !hasSecret(query) && !hasSecret(queryOf(recorder.Header().Get("Location"))) && !hasSecret(queryOf(r.Referer())) {
		return
	}
	caddyhttp.SetVar(r.Context(), caddyhttp.LogSkipVar, true)
	path, _, _ := strings.Cut(r.URI, "?")
	a.logger.InfoContext(r.Context(), "handled request", "method", r.Method, "host", r.Host, "path", path,
		"status", recorder.Status(), "client_ip", r.Client)
}

func queryOf(address string) string {
	_, query, _ := strings.Cut(address, "?")
	query, _, _ = strings.Cut(query, "#")
	return query
}

// hasSecret tells whether a raw query has one of the parameters.
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
