package web

import (
	"net/http"
	"net/url"
	"strings"
)

// Request is a request as the outside world sees it. The caller has made sure
// that Host is one of the site's names, or the issuer's, and that Scheme and
// ClientIP are not a stranger's word.
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
	// ClientIP is the address of the client.
	ClientIP string
	// TrustedProxy reports whether the connection is a trusted proxy's, by whose
	// word Scheme is known.
	TrustedProxy bool
	// Site is what the configuration says of the site, or nil.
	Site *Site
	// AsksBasic says that programs are asked for Basic credentials: the application's own,
	// or a token as the password.
	AsksBasic bool
	// TrustedOrigin is the request's Origin if its pages may call here, or "".
	TrustedOrigin string
	// Resource is the path of the named resource that the request is of, or "".
	Resource string
	// NeedsScope are the scopes that an access token needs for the request, as far as it
	// is known when one is refused.
	NeedsScope []string
	// Pick is the provider that the guard of this request sends people to, or "".
	Pick string
}

// Secure reports whether the client came by https.
func (r *Request) Secure() bool { return r.Scheme == "https" }

// Origin that the client asked, without the scheme's own port.
func (r *Request) Origin() string { return r.Scheme + "://" + CanonicalHost(r.Scheme, r.Host) }

// Path of the URI as sent, without its query.
func (r *Request) Path() string {
	path, _, _ := strings.Cut(r.URI, "?")
	return path
}

// Query parses the URI's query as sent. A pair that cannot be read (an escape that
// is none, a semicolon) is an error, with which come the pairs that can be: what the
// other asks for is not known, so a request that lacks it must not be served.
func (r *Request) Query() (url.Values, error) {
	_, raw, _ := strings.Cut(r.URI, "?")
	return url.ParseQuery(raw)
}

// Repeated names a parameter of the list that is repeated, or "". RFC 6749,
// section 3.1: parameters must not be included more than once. Only resource may
// (RFC 8707, section 2).
func Repeated(values url.Values, names ...string) string {
	for _, name := range names {
		if len(values[name]) > 1 && name != "resource" {
			return name
		}
	}
	return ""
}

// ReturnTo is where a navigation comes back to: the very URL for GET and HEAD,
// else, by GET, the page that it was sent from.
func (r *Request) ReturnTo() string {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return SafeReturnTo(r.URI)
	}
	return RefererPath(r.Referer(), r.Origin())
}

// SiteIssuer is that of a guarded site's own endpoints, where its attempt cookies
// live.
func (r *Request) SiteIssuer() Issuer { return SiteIssuer(r.Origin(), ClientOf(r.Host)) }
