package flows

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// pushedCookie, and what finds the pushed request, is with a browser that was told
// to try again with a request_uri that may be used up.
const pushedCookie = "gatehouse-par-"

const reuseLabel = "request uri again"

// reusable is an answer to a pushed request that tells a browser which is to try
// again that it may. The cache cannot be told: it may be what is down.
func (g *Gateway) reusable(w http.ResponseWriter, r *web.Request, at web.Issuer, requestURI string) http.ResponseWriter {
	id, ok := strings.CutPrefix(requestURI, requestURIPrefix)
	if !ok || !wellFormedPushed(id) {
		return w
	}
	return &reusableWriter{ResponseWriter: w, allow: func() {
		mac := g.Keyring.MAC(reuseLabel, []byte(id), []byte(at.ID()))
		web.SetPathCookie(w, at, reuseCookie(id), encode(mac), requestValidity)
	}, end: func() {
		if web.PathCookie(r.Request, at, reuseCookie(id)) != "" {
			web.ClearPathCookie(w, at, reuseCookie(id))
		}
	}}
}

// mayReuse reports whether this browser was told to try again with a request_uri.
func (g *Gateway) mayReuse(r *web.Request, at web.Issuer, id string) bool {
	if !wellFormedPushed(id) {
		return false
	}
	value := web.PathCookie(r.Request, at, reuseCookie(id))
	for _, mac := range g.Keyring.MACs(reuseLabel, []byte(id), []byte(at.ID())) {
		if equal([]byte(value), []byte(encode(mac))) {
			return true
		}
	}
	return false
}

// reuseCookie is the name of the cookie for a request_uri. A prefix of the id tells
// those of a browser apart; that it is the whole one is in the value.
func reuseCookie(id string) string { return pushedCookie + id[:16] }

// wellFormedPushed reports whether an id is one that we could have made, and so one
// that may be part of a cookie's name.
func wellFormedPushed(id string) bool {
	return len(id) == 43 && strings.Trim(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}

// pushedURL is where a pushed request is tried again, by GET.
func pushedURL(at web.Issuer, query url.Values) string {
	return at.Path + "authorize?" + url.Values{
		"client_id": {query.Get("client_id")}, "request_uri": {query.Get("request_uri")},
	}.Encode()
}

// reusableWriter calls allow when the answer is one to try again after, else end.
type reusableWriter struct {
	http.ResponseWriter
	allow, end func()
}

func (w *reusableWriter) WriteHeader(status int) {
	switch status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable:
		w.allow()
	default:
		w.end()
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for [http.ResponseController].
func (w *reusableWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
