package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// Pages of other origins that may call a guarded site (CORS, in the Fetch standard).
// Only exact origins are allowed, and these with the visitor's cookie: whoever may read
// an answer may read it as them.

// CheckPageOrigin refuses what is no origin as browsers write it in the header Origin.
func CheckPageOrigin(origin string) error {
	switch {
	case strings.EqualFold(origin, "null"):
		return errors.New("null is the origin of any page in a sandboxed frame, on any site: name the page's own origin")
	case strings.Contains(origin, "*"):
		return fmt.Errorf("%q: only exact origins can be allowed, such as https://ui.example.com", origin)
	}
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" {
		return fmt.Errorf("%q is not an origin such as https://ui.example.com", origin)
	}
	for i := range len(u.Host) {
		if c := u.Host[i]; c <= ' ' || c >= 0x7f || c == '%' {
			return fmt.Errorf("%q: browsers write names in ASCII, such as xn--bcher-kva.example", origin)
		}
	}
	if exact := u.Scheme + "://" + CanonicalHost(u.Scheme, u.Host); exact != origin {
		return fmt.Errorf("%q is not what browsers send; write %s", origin, exact)
	}
	return nil
}

// What a preflight may ask for, in bytes.
const (
	maxPreflightMethod  = 64
	maxPreflightHeaders = 4 << 10
)

// AnswerPageMayCall answers the preflight of a page whose origin is allowed: it may send
// what it asks for, since the application judges that.
func AnswerPageMayCall(w http.ResponseWriter, r *http.Request) {
	addPreflightVary(w.Header())
	method := r.Header.Get("Access-Control-Request-Method")
	headers := strings.Join(r.Header["Access-Control-Request-Headers"], ",")
	if len(method) > maxPreflightMethod || !httpguts.ValidHeaderFieldName(method) || len(headers) > maxPreflightHeaders || !areTokens(headers) {
		NoStore(w)
		Problem(w, http.StatusBadRequest, "The preflight cannot be read.", nil)
		return
	}
	answerPreflight(w, method, headers)
}

// AnswerPageMayNotCall answers the preflight of any other page.
func AnswerPageMayNotCall(w http.ResponseWriter) {
	addPreflightVary(w.Header())
	Problem(w, http.StatusForbidden, "Pages of this origin may not call this address.", nil)
}

func addPreflightVary(h http.Header) {
	h.Add("Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers")
}

// areTokens reports whether a list holds names of headers and nothing else.
func areTokens(list string) bool {
	if list == "" {
		return true
	}
	for token := range strings.SplitSeq(list, ",") {
		if !httpguts.ValidHeaderFieldName(strings.TrimSpace(token)) {
			return false
		}
	}
	return true
}
