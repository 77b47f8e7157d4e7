package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// AppCredentials are an application's own. A request that brings them and that nobody of
// ours has made passes a guard as nobody. That is right only where the application itself
// refuses credentials that are not good, everywhere.
type AppCredentials struct {
	// Schemes of Authorization: `basic`, `bearer` (also spelt `token`) and `aws4` (also in
	// the query, as presigned URLs have it).
	Schemes []string `json:"schemes,omitempty"`
	// Names of headers, such as `X-Api-Key`.
	Headers []string `json:"headers,omitempty"`
}

// The schemes that app_credentials knows.
const (
	schemeBasic  = "basic"
	schemeBearer = "bearer"
	schemeAWS4   = "aws4"
)

var appSchemes = []string{schemeBasic, schemeBearer, schemeAWS4}

func (g *Guard) checkAppCredentials() error {
	c := g.AppCredentials
	switch {
	case c == nil:
		return nil
	case len(c.Schemes)+len(c.Headers) == 0:
		return errors.New("app_credentials is empty: say which, such as app_credentials basic")
	}
	for _, scheme := range c.Schemes {
		if !slices.Contains(appSchemes, scheme) {
			return fmt.Errorf("app_credentials: %q is not known%s", scheme, didYouMean(scheme, append(slices.Clone(appSchemes), "header")))
		}
	}
	for i, name := range c.Headers {
		if err := checkHeaderName(name); err != nil || name == headerOff {
			return fmt.Errorf("app_credentials: %q cannot be a header with a credential of the application's", name)
		}
		c.Headers[i] = http.CanonicalHeaderKey(name)
	}
	return nil
}

// checkWith refuses credentials that the guard would take away.
func (c *AppCredentials) checkWith(headers *headerSet) error {
	switch {
	case c == nil:
		return nil
	case len(c.Schemes) > 0 && headers.basic != "":
		return errors.New("app_credentials and basic_auth both need Authorization: leave one of them out")
	}
	for _, name := range c.Headers {
		if headers.matches(name) {
			return fmt.Errorf("app_credentials: the header %s tells the application who is signed in, and is removed from requests", name)
		}
	}
	return nil
}

// takes reports whether Authorization with a scheme is among them.
func (c *AppCredentials) takes(scheme string) bool {
	return c != nil && slices.Contains(c.Schemes, scheme)
}

// in reports whether a request brings such credentials, and the application will get
// them: what Connection names is removed on the way.
func (c *AppCredentials) in(r *http.Request) bool {
	if c == nil {
		return false
	}
	if values := r.Header["Authorization"]; len(values) == 1 && c.takes(appScheme(values[0])) && !isNominated(r, "Authorization") {
		return true
	}
	if c.takes(schemeAWS4) && isPresigned(r.URL.RawQuery) {
		return true
	}
	return slices.ContainsFunc(c.Headers, func(name string) bool {
		values := r.Header[name]
		return len(values) == 1 && strings.TrimSpace(values[0]) != "" && !isNominated(r, name)
	})
}

// isNominated reports whether Connection names a header (RFC 9110, section 7.6.1).
func isNominated(r *http.Request, name string) bool {
	return slices.ContainsFunc(r.Header["Connection"], func(line string) bool { return listsToken(line, name) })
}

// appScheme is the scheme of a line of Authorization, as app_credentials calls it, or "".
func appScheme(value string) string {
	name, rest, _ := strings.Cut(value, " ")
	name = strings.ToLower(name)
	switch {
	case strings.TrimSpace(rest) == "":
	case name == schemeBasic:
		return schemeBasic
	case name == schemeBearer, name == "token":
		return schemeBearer
	case name == "aws4-hmac-sha256", name == "aws4-ecdsa-p256-sha256":
		return schemeAWS4
	}
	return ""
}

// isPresigned reports whether a query is signed (AWS Signature Version 4).
func isPresigned(raw string) bool {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return false
	}
	for _, name := range [...]string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature"} {
		if len(query[name]) != 1 || query[name][0] == "" {
			return false
		}
	}
	return true
}
