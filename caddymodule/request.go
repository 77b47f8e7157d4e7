package caddymodule

import (
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/flows/reading"
)

// originalURI is the request URI as the client sent it: a rewrite before the
// guard changes neither what is ours nor where a sign-in returns to. A request
// target in absolute form (RFC 9112, section 3.2.2) is cut to its path and query;
// one that has no path is [reading.ErrMalformed].
func originalURI(r *http.Request) (string, error) {
	uri, url := r.RequestURI, r.URL
	if original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok {
		uri, url = original.RequestURI, original.URL
	}
	if strings.HasPrefix(uri, "/") || url == nil {
		return uri, nil
	}
	if err := reading.HasPath(url); err != nil {
		return "", err
	}
	return url.RequestURI(), nil
}

// isPort reports whether s is a colon and a port number as URLs spell it.
func isPort(s string) bool {
	if len(s) < 2 || len(s) > 6 || s[0] != ':' || s[1] == '0' {
		return false
	}
	port := 0
	for i := 1; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
		port = port*10 + int(s[i]-'0')
	}
	return port <= 65535
}

// notStarted answers while the app has not started. Caddy starts its apps in any
// order.
func notStarted(w http.ResponseWriter) error {
	w.Header().Set("Retry-After", "2")
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, "Starting up; try again in a moment.", http.StatusServiceUnavailable)
	return nil
}

// malformed answers a request that servers read in different ways, or not at
// all.
func malformed(w http.ResponseWriter) error {
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, "Malformed request target.", http.StatusBadRequest)
	return nil
}

// misdirected answers a request for a host that is not the site's (RFC 9110,
// section 15.5.20). Nothing is built from such a name.
func misdirected(w http.ResponseWriter) error {
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, "This host name is not served here.", http.StatusMisdirectedRequest)
	return nil
}
