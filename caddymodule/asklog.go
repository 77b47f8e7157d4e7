package caddymodule

import (
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/caddymodule/dialect"
)

// describesSecret reports whether the address that a proxy asks about, or passes on,
// holds a code, a state or a token, of ours or of the application's.
func describesSecret(r *http.Request) bool {
	if hasSecret(r.URL.RawQuery) {
		return true
	}
	for address := range dialect.Described(r.Header) {
		if hasSecret(queryOf(address)) {
			return true
		}
	}
	return false
}

// haveToken reports whether a header of an answer that says yes has a token, which Caddy's
// access log would show.
func (s *headerSet) haveToken() bool { return s.assertion != "" || s.idToken != "" }

// serveUnlogged is serve, left out of Caddy's access log, which has the headers that
// describe the request whole, and logged without the query.
func (f *ForwardAuth) serveUnlogged(w http.ResponseWriter, r *http.Request) error {
	recorder := caddyhttp.NewResponseRecorder(w, nil, nil)
	err := f.serve(recorder, r)
	if skipped, _ := caddyhttp.GetVar(r.Context(), caddyhttp.LogSkipVar).(bool); skipped {
		return err // it has its line
	}
	caddyhttp.SetVar(r.Context(), caddyhttp.LogSkipVar, true)
	asked, _ := f.dialect.Read(r)
	path, _, _ := strings.Cut(asked.URI, "?")
	client, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	f.app.logger.InfoContext(r.Context(), "handled request", "method", asked.Method, "host", asked.Host, "path", path,
		"status", recorder.Status(), "client_ip", client)
	return err
}
