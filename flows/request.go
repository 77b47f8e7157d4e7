package flows

import (
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/page"
)

// Request is a request as the outside world sees it. The caller has made sure
// that Host is one of the site's names, or the issuer's, and that Scheme and
// Client are not a stranger's word.
type Request struct {
	*http.Request
	// URI is the request URI as the client sent it, before any rewrite.
	URI string
	// Scheme is "https" or "http", from TLS or a trusted proxy.
	Scheme string
	// Host is host[:port] as requested.
	Host string
	// KnownPort reports whether the port of Host is one that the site is configured
	// to have. Only then may caches keep a document that repeats it.
	KnownPort bool
	// Client is the address of the client.
	Client string
	// TrustedProxy reports whether the connection is a trusted proxy's, by whose
	// word Scheme is known.
	TrustedProxy bool
}

func (r *Request) secure() bool   { return r.Scheme == "https" }
func (r *Request) origin() string { return r.Scheme + "://" + canonicalHost(r.Scheme, r.Host) }

// path of the URI as sent, without its query.
func (r *Request) path() string {
	path, _, _ := strings.Cut(r.URI, "?")
	return path
}

// query parses the URI's query as sent. A pair that cannot be read (an escape that
// is none, a semicolon) is an error, with which come the pairs that can be: what the
// other asks for is not known, so a request that lacks it must not be served.
func (r *Request) query() (url.Values, error) {
	_, raw, _ := strings.Cut(r.URI, "?")
	return url.ParseQuery(raw)
}

// pageQuery is query for our own pages. It answers itself where that is malformed.
func (g *Gateway) pageQuery(w http.ResponseWriter, r *Request, at place) (query url.Values, ok bool) {
	query, err := r.query()
	if err != nil {
		g.malformed(w, r, page.Fault{RetryURL: g.beginning(at), RetryLabel: "Start again"})
		return nil, false
	}
	return query, true
}

// malformed answers a link or a form of which not every parameter can be read.
func (g *Gateway) malformed(w http.ResponseWriter, r *Request, f page.Fault) {
	f.Title, f.Message, f.Detail = "This link cannot be used", "Part of the request cannot be read.", "invalid_request"
	g.Pages.Fault(w, r.Request, http.StatusBadRequest, f)
}

// repeated names a parameter of the list that is there twice, or "". RFC 6749,
// section 3.1: parameters must not be included more than once. Only resource may
// (RFC 8707, section 2).
func repeated(values url.Values, names ...string) string {
	for _, name := range names {
		if len(values[name]) > 1 && name != "resource" {
			return name
		}
	}
	return ""
}

// caller is what kind of program sent a request, as far as the answer differs.
type caller int

const (
	callerProgram    caller = iota // fetch, XHR, curl, API clients
	callerNavigation               // a person's browser opens a page
	callerHTMX
	callerGRPC
	callerWebSocket
)

// callerOf judges by what browsers send about themselves. A program never gets
// HTML.
func callerOf(r *http.Request) caller {
	h := r.Header
	if media, _, _ := mime.ParseMediaType(h.Get("Content-Type")); strings.HasPrefix(media, "application/grpc") {
		return callerGRPC
	}
	if strings.EqualFold(h.Get("Upgrade"), "websocket") {
		return callerWebSocket
	}
	if strings.EqualFold(h.Get("HX-Request"), "true") {
		return callerHTMX
	}
	if mode := h.Get("Sec-Fetch-Mode"); mode != "" {
		if mode == "navigate" {
			return callerNavigation
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
		return callerNavigation
	}
	return callerProgram
}

// acceptsHTML tells whether Accept names text/html; "*/*" is what curl sends.
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
