package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Site is what the configuration says of a guarded site, for what is answered there. Nil
// says nothing.
type Site struct {
	// CrossSiteCookie has browsers send the session's cookie with requests that pages of
	// other sites make (SameSite=None).
	CrossSiteCookie bool
	// CrossSite are the paths to which pages of other sites may send what may change
	// something, exactly as they are sent.
	CrossSite []string
	// LogoutRedirects are the addresses that a sign-out may lead to, the first if none is
	// asked for: paths of the site, or URLs.
	LogoutRedirects []string
	// ClearOnLogout has browsers forget what the site stored, when somebody signs out.
	ClearOnLogout bool
}

// sendsCrossSite reports whether the cookie is for other sites' pages, too.
func (s *Site) sendsCrossSite() bool { return s != nil && s.CrossSiteCookie }

// IsForgeable reports whether a page of another site may have made a request with the
// visitor's cookie, and it may change something (cross-site request forgery). It is so
// only where the site's cookie is for such pages, since browsers keep it back otherwise.
func (r *Request) IsForgeable() bool {
	return r.isForgeableAtResource() || r.Site.sendsCrossSite() && r.IsForgeableByBasic()
}

// IsForgeableByBasic is [Request.IsForgeable] for Basic credentials: a browser that once
// asked its user for them sends them with every request to the site, whosever page makes
// it, and no SameSite keeps them back.
func (r *Request) IsForgeableByBasic() bool {
	return r.isForgeableAtResource() || !isSafe(r.Method) && r.isOfOtherSite() && (r.Site == nil || !slices.Contains(r.Site.CrossSite, r.Path()))
}

// isSafe reports whether a method changes nothing (RFC 9110, section 9.2.1). Servers read
// any other spelling as they like.
func isSafe(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

// isForgeableAtResource reports whether a page of another origin may have made a request
// to a named resource. There that is enough, also for a page of the same site, whose
// requests bring the cookie: programs talk there, and their servers may take any request
// for one that somebody meant (Model Context Protocol, Streamable HTTP).
func (r *Request) isForgeableAtResource() bool { return r.Resource != "" && r.isOfOtherOrigin() }

// isOfOtherOrigin reports whether a page of another origin made a request, as browsers
// say.
func (r *Request) isOfOtherOrigin() bool {
	for _, origin := range r.Header["Origin"] {
		u, err := url.Parse(origin)
		if err != nil || u.Host == "" || u.Scheme != r.Scheme && u.Scheme != "https" ||
			CanonicalHost(u.Scheme, u.Host) != CanonicalHost(u.Scheme, r.Host) {
			return true
		}
	}
	sites := r.Header["Sec-Fetch-Site"]
	return !isSafe(r.Method) && len(r.Header["Origin"]) == 0 && len(sites) > 0 && (len(sites) > 1 || sites[0] != "same-origin" && sites[0] != "none")
}

// isOfOtherSite reports whether a page of another site made a request, as browsers say.
// What says nothing is no browser's: all that know SameSite send Origin with it.
func (r *Request) isOfOtherSite() bool {
	if sites := r.Header["Sec-Fetch-Site"]; len(sites) > 0 {
		return len(sites) > 1 || sites[0] != "same-origin" && sites[0] != "same-site" && sites[0] != "none"
	}
	for _, origin := range r.Header["Origin"] {
		u, err := url.Parse(origin)
		if err != nil || u.Host == "" || !strings.EqualFold(HostName(u.Host), HostName(r.Host)) {
			return true
		}
	}
	return false
}
