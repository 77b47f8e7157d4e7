package reading

import (
	"errors"
	"net/http"
	"net/url"
)

// ErrMalformed is what no server can be trusted to read: the request is to be
// answered with 400.
var ErrMalformed = errors.New("malformed request target")

// Target refuses a request whose target has no path, which no path matcher
// sees and which upstreams read in their own ways: an opaque URI
// ("x:admin/secret"), the asterisk form, and CONNECT, unless it opens a
// WebSocket in HTTP/2 or HTTP/3 (RFC 8441, RFC 9220). It returns nil or
// [ErrMalformed].
//
// The empty path of an absolute form ("http://example.com?q=1") becomes "/", for
// matchers and upstream alike (RFC 9110, section 4.2.3).
func Target(r *http.Request) error {
	if r.Method == http.MethodConnect && !isExtendedConnect(r) {
		return ErrMalformed
	}
	return HasPath(r.URL)
}

// HasPath is the part of [Target] that is about the URL. It changes an empty
// path.
func HasPath(u *url.URL) error {
	if u.Opaque != "" || u.Path == "" && u.Scheme != "" && u.Host == "" {
		return ErrMalformed
	}
	if u.Path == "" {
		u.Path, u.RawPath = "/", ""
	}
	if u.Path[0] != '/' {
		return ErrMalformed
	}
	return nil
}

// isExtendedConnect reports whether a CONNECT opens a WebSocket. net/http leaves
// the pseudo-header among the headers, quic-go puts it into Proto.
func isExtendedConnect(r *http.Request) bool {
	switch r.ProtoMajor {
	case 2:
		protocol := r.Header[":protocol"]
		return len(protocol) == 1 && protocol[0] == websocket
	case 3:
		return r.Proto == websocket
	}
	return false
}
