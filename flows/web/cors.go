package web

import (
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/client"
)

// Which pages of other origins may read our answers (CORS, in the Fetch
// standard).
//
// Metadata and keys are for everybody. The endpoints that a client running in
// the browser calls itself are for the origins of the clients' redirect URIs
// ([client.Origins]), whichever client the request then names: a preflight names
// none, and neither does an answer to a client that is unknown. That one client's
// pages may read what another's would be told gives them nothing, for what is
// told depends on the code, secret or token in the request alone, never on
// cookies: Access-Control-Allow-Credentials is never sent.
//
// All else has no CORS at all. The authorization endpoint must not have it (RFC
// 9700, section 2.6) and the pages have no use for it; introspection is for clients
// that keep a secret, which no page can.
const (
	corsHeaders = "Authorization, Content-Type, DPoP"
	corsExposed = "DPoP-Nonce, Retry-After, WWW-Authenticate"
	// corsMaxAge is how many seconds a browser may remember a preflight. What
	// it may read it learns from each answer anew.
	corsMaxAge = "3600"
)

// AllowedToPages is [allowed] for an endpoint that pages of some origins, those
// of the clients, may call as well. It answers preflights, which costs no I/O. Every answer of the
// endpoint carries the headers, errors too: a page could not tell invalid_grant
// from an outage otherwise.
func AllowedToPages(w http.ResponseWriter, r *Request, from client.Origins, methods ...string) bool {
	h := w.Header()
	h.Add("Vary", "Origin")
	origins := r.Header["Origin"]
	known := len(origins) == 1 && from.Allow(origins[0])
	if known {
		h.Set("Access-Control-Allow-Origin", origins[0])
	}
	switch {
	case !IsPreflight(r.Request):
		if known {
			h.Set("Access-Control-Expose-Headers", corsExposed)
		}
		return Allowed(w, r, methods...)
	case !known:
		Problem(w, http.StatusForbidden, "This is the origin of no client's redirect URI, so its pages may not call this address.", nil)
	default:
		answerPreflight(w, strings.Join(methods, ", "), corsHeaders)
	}
	return false
}

// AllowedToAll is [allowed] for a document that every page may read. A request
// for it may carry any header: some clients send a protocol version along.
func AllowedToAll(w http.ResponseWriter, r *Request) bool {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	if IsPreflight(r.Request) {
		answerPreflight(w, "GET, HEAD", "*")
		return false
	}
	return Allowed(w, r, http.MethodGet, http.MethodHead)
}

// IsPreflight reports whether a browser asks what a page may send.
func IsPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != ""
}

func answerPreflight(w http.ResponseWriter, methods, headers string) {
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", methods)
	h.Set("Access-Control-Allow-Headers", headers)
	h.Set("Access-Control-Max-Age", corsMaxAge)
	w.WriteHeader(http.StatusNoContent)
}
