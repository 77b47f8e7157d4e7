package web

import (
	"fmt"
	"net/url"
	"strings"
)

// Prefix of the paths that are reserved on a guarded site.
const Prefix = "/.gatehouse/"

// Issuer is where people sign in: the portal, or a guarded site for itself.
type Issuer struct {
	Origin   string // scheme://host[:port], in lower case
	Path     string // below which our endpoints lie, with slashes at both ends
	Host     string // name without port
	IsPortal bool
}

// URL of an endpoint below the issuer, such as "token".
func (i Issuer) URL(endpoint string) string { return i.Origin + i.Path + endpoint }

// ID is the identifier (RFC 8414): without a slash at its end.
func (i Issuer) ID() string { return i.Origin + strings.TrimSuffix(i.Path, "/") }

// Secure reports whether the issuer is of https.
func (i Issuer) Secure() bool { return strings.HasPrefix(i.Origin, "https:") }

// SiteIssuer is a guarded site that is its own issuer.
func SiteIssuer(origin, host string) Issuer {
	return Issuer{Origin: origin, Path: Prefix, Host: host}
}

// ParseIssuer parses the URL of a portal: an origin and perhaps a path.
func ParseIssuer(issuer string) (Issuer, error) {
	u, err := url.Parse(issuer)
	switch {
	case err != nil:
		return Issuer{}, fmt.Errorf("issuer %q is not a URL", issuer)
	case u.Scheme != "https" && u.Scheme != "http":
		return Issuer{}, fmt.Errorf("issuer %q must begin with https://", issuer)
	case u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return Issuer{}, fmt.Errorf("issuer %q must be an origin and a path, without user, query or fragment (RFC 8414, section 2)", issuer)
	}
	path := strings.TrimSuffix(u.EscapedPath(), "/") + "/"
	return Issuer{
		Origin: strings.ToLower(u.Scheme + "://" + u.Host),
		Path:   path, Host: strings.ToLower(u.Hostname()), IsPortal: true,
	}, nil
}

// Beginning is where a person starts over: the site itself, or the portal's
// own page.
func (i Issuer) Beginning() string {
	if i.IsPortal {
		return i.Path
	}
	return "/"
}

// ResourceMetadataPath is where a protected resource describes itself
// (RFC 9728, section 3).
const ResourceMetadataPath = "/.well-known/oauth-protected-resource"

// GrantIssuer is what refresh tokens are bound to: the site that issued them,
// where each is an issuer, or nothing: a portal is the only issuer, whatever it is
// called from one day to the next.
func (i Issuer) GrantIssuer() string {
	if i.IsPortal {
		return ""
	}
	return i.ID()
}
