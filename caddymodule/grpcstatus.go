package caddymodule

import (
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// isGRPC reports whether a request is one of gRPC proper, whose status travels in
// trailers. gRPC-Web has it in the body.
func isGRPC(r *http.Request) bool {
	if r.ProtoMajor < 2 {
		return false
	}
	for _, t := range r.Header["Content-Type"] {
		rest, ok := strings.CutPrefix(t, "application/grpc")
		if ok && (rest == "" || rest[0] == '+' || rest[0] == ';') {
			return true
		}
	}
	return false
}

// serveGRPC passes a gRPC request on. When its session ends it gets the status
// UNAUTHENTICATED, as a new one would, and not the broken stream that clients
// report as INTERNAL and try again.
func (a *answer) serveGRPC(r *http.Request, next caddyhttp.Handler) (err error) {
	defer func() {
		if !a.over.Load() {
			return
		}
		if p := recover(); p != nil && p != http.ErrAbortHandler { //nolint:errorlint // it is compared so where it is meant
			panic(p)
		}
		a.unauthenticated()
		err = nil
	}()
	return next.ServeHTTP(a, r)
}

// unauthenticated gives an answer that was ended its gRPC status: 16.
func (a *answer) unauthenticated() {
	const status, message = "Grpc-Status", "Grpc-Message"
	h, prefix := a.Header(), http.TrailerPrefix
	if !a.begun {
		clear(h)
		h.Set("Content-Type", "application/grpc")
		h.Set("Cache-Control", "no-store")
		prefix = ""
	}
	h[prefix+status], h[prefix+message] = []string{"16"}, []string{"the session has ended"}
	if !a.begun {
		a.begun = true
		a.ResponseWriter.WriteHeader(http.StatusOK)
	}
}
