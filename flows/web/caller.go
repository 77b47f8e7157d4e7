package web

import (
	"mime"
	"net/http"
	"strings"
)

// Caller is what kind of program sent a request, as far as the answer differs.
type Caller int

const (
	callerProgram    Caller = iota // fetch, XHR, curl, API clients
	CallerNavigation               // a person's browser opens a page
	CallerHTMX
	CallerGRPC
	callerWebSocket
)

// CallerOf judges by what browsers send about themselves. A program never gets
// HTML.
func CallerOf(r *http.Request) Caller {
	h := r.Header
	if media, _, _ := mime.ParseMediaType(h.Get("Content-Type")); strings.HasPrefix(media, "application/grpc") {
		return CallerGRPC
	}
	if strings.EqualFold(h.Get("Upgrade"), "websocket") {
		return callerWebSocket
	}
	if strings.EqualFold(h.Get("HX-Request"), "true") {
		return CallerHTMX
	}
	if mode := h.Get("Sec-Fetch-Mode"); mode != "" {
		if mode == "navigate" {
			return CallerNavigation
		}
		return callerProgram
	}
	for name := range h {
		if strings.HasPrefix(name, "Sec-Fetch-") {
			return callerProgram
		}
	}
	if strings.EqualFold(h.Get("X-Requested-With"), "XMLHttpRequest") {
		return callerProgram
	}
	if acceptsHTML(h.Values("Accept")) {
		return CallerNavigation
	}
	return callerProgram
}

// acceptsHTML reports whether Accept names text/html; "*/*" is what curl sends.
func acceptsHTML(accept []string) bool {
	for _, line := range accept {
		for part := range strings.SplitSeq(line, ",") {
			media, _, _ := strings.Cut(part, ";")
			if strings.EqualFold(strings.TrimSpace(media), "text/html") {
				return true
			}
		}
	}
	return false
}
