package web

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/clientjwt"
)

// Unauthorized is 401 for programs (RFC 6750, section 3; RFC 9728,
// section 5.1). login_url returns to the page that made the call, since the
// address of the call itself is no page.
func Unauthorized(w http.ResponseWriter, r *Request) {
	if r.AsksBasic && !isFromPage(r.Header) {
		AskBasic(w.Header(), r)
	} else {
		SetChallenges(w.Header(), "", joined(ResourceParameter(r), ScopeParameter(r)), "")
	}
	Problem(w, http.StatusUnauthorized, "Sign in to continue.", map[string]string{
		"login_url": r.Origin() + PickedLoginPath(RefererPath(r.Referer(), r.Origin()), r.Pick),
	})
}

// AskBasic asks for a name and a password (RFC 7617), and for nothing else: some clients
// (Docker's) give up at a Bearer challenge that names no token service of theirs.
func AskBasic(h http.Header, r *Request) {
	h["Www-Authenticate"] = []string{`Basic realm="` + realm(HostName(r.Host)) + `", charset="UTF-8"`}
}

// realm is a name as a quoted string may hold it.
func realm(name string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return -1
		}
		return c
	}, name)
}

// isFromPage reports whether a page of a browser makes a request. A browser that is asked
// for Basic credentials would ask its user, over the page.
func isFromPage(h http.Header) bool {
	for _, name := range [...]string{"Sec-Fetch-Mode", "Sec-Fetch-Site", "Sec-Fetch-Dest", "Origin", "X-Requested-With", "Sec-Websocket-Key"} {
		if _, there := h[name]; there {
			return true
		}
	}
	return false
}

// ResourceParameter is where a client learns whom to ask for a token (RFC 9728,
// section 5.1).
func ResourceParameter(r *Request) string {
	return `resource_metadata="` + r.Origin() + ResourceMetadataPath + r.Resource + `"`
}

// ScopeParameter names the scopes that a token for the request needs (RFC 6750, section
// 3), or is "".
func ScopeParameter(r *Request) string {
	if len(r.NeedsScope) == 0 {
		return ""
	}
	return `scope="` + strings.Join(r.NeedsScope, " ") + `"`
}

// SetChallenges names the two ways to present an access token, as a bearer token
// (RFC 6750, section 3) and with a proof of its key (RFC 9449, section 7.1), each
// in a field of its own, which leaves nobody to tell parameters from challenges
// (RFC 9110, section 11.6.1). What is wrong is told of the scheme that was used.
// parameters and fault are lists of parameters as they are written, or "".
func SetChallenges(h http.Header, used, parameters, fault string) {
	ofBearer, ofDPoP := fault, ""
	if strings.EqualFold(used, "dpop") {
		ofBearer, ofDPoP = "", fault
	}
	algorithms := `algs="` + strings.Join(clientjwt.Algorithms(), " ") + `"`
	h["Www-Authenticate"] = []string{
		strings.TrimSuffix("Bearer "+joined(ofBearer, parameters), " "), "DPoP " + joined(algorithms, ofDPoP, parameters),
	}
}

// joined is a list of those that are not empty.
func joined(list ...string) string {
	return strings.Join(slices.DeleteFunc(list, func(s string) bool { return s == "" }), ", ")
}
