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
	SetChallenges(w.Header(), "", ResourceParameter(r), "")
	Problem(w, http.StatusUnauthorized, "Sign in to continue.", map[string]string{
		"login_url": r.Origin() + PickedLoginPath(RefererPath(r.Referer(), r.Origin()), r.Pick),
	})
}

// ResourceParameter is where a client learns whom to ask for a token (RFC 9728,
// section 5.1).
func ResourceParameter(r *Request) string {
	return `resource_metadata="` + r.Origin() + ResourceMetadataPath + `"`
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
