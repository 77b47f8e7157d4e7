package caddymodule

import (
	"net/http"
	"strings"
)

// askAnswer is the answer to a proxy's question. To the proxy every 2xx means yes,
// which some refusals have, such as those of gRPC: only what the guard lets pass may
// say that.
type askAnswer struct {
	http.ResponseWriter
	// onlyYesOrNo has every refusal be a bare 401. The proxy then sends the request
	// itself, for the answer.
	onlyYesOrNo bool
	// origin is put before a redirect's path, "" if the proxy leaves that alone.
	origin  string
	yes     bool // the guard lets the request pass, now
	written bool
	silent  bool
}

// WriteHeader implements [http.ResponseWriter].
func (a *askAnswer) WriteHeader(status int) {
	switch {
	case a.written || status < 200:
		return
	case a.yes && status == http.StatusOK:
	case a.onlyYesOrNo:
		status, a.silent = http.StatusUnauthorized, true
		h := a.Header()
		clear(h)
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Length", "0")
	case status < 300:
		status = statusOfNo(a.Header())
	default:
		a.completeLocation()
	}
	a.written = true
	a.ResponseWriter.WriteHeader(status)
}

// completeLocation makes an absolute URL of a redirect within the site, where the
// proxy would take it for one within Gatehouse's own address.
func (a *askAnswer) completeLocation() {
	if location := a.Header().Get("Location"); a.origin != "" && strings.HasPrefix(location, "/") && !strings.HasPrefix(location, "//") {
		a.Header().Set("Location", a.origin+location)
	}
}

// statusOfNo is that of a refusal which came with a 2xx, as gRPC's do: it has a
// status of its own, of which 7 is PERMISSION_DENIED.
func statusOfNo(h http.Header) int {
	if h.Get("Grpc-Status") == "7" {
		return http.StatusForbidden
	}
	return http.StatusUnauthorized
}

// Write implements [http.ResponseWriter].
func (a *askAnswer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	if a.silent {
		return len(p), nil
	}
	return a.ResponseWriter.Write(p)
}

// finish says no where nothing was said, which net/http takes for 200.
func (a *askAnswer) finish() {
	if !a.written {
		clear(a.Header())
		a.WriteHeader(http.StatusServiceUnavailable)
	}
}

// Unwrap is for [http.ResponseController].
func (a *askAnswer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
