package flows

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/page"
)

// OwnPath tells whether a request URI, as the client sent it, is one of ours on
// a guarded site.
func (g *Gateway) OwnPath(uri string) bool {
	path, _, _ := strings.Cut(uri, "?")
	return isOwnPath(path) || (!g.HasPortal() && isSiteMetadata(path))
}

// isSiteMetadata tells whether a path is where RFC 8414, section 3, puts the
// metadata of an issuer with a path: between host and path.
func isSiteMetadata(path string) bool {
	const issuer = "/.gatehouse"
	return path == serverMetadataPath+issuer || path == openidMetadataPath+issuer
}

// ServeSite answers the paths of [Gateway.OwnPath] on a guarded site. The
// caller has made sure that the host is one of the site's.
func (g *Gateway) ServeSite(w http.ResponseWriter, r *Request) {
	noStore(w)
	g.LimitBody(w, r.Request)
	path := r.path()
	if strings.HasPrefix(path, resourceMetadataPath) {
		if allowedToAll(w, r) {
			g.serveResourceMetadata(w, r)
		}
		return
	}
	if isSiteMetadata(path) && g.Keys != nil && !g.HasPortal() {
		if allowedToAll(w, r) {
			g.serveDiscovery(w, r, g.sitePlace(r))
		}
		return
	}
	endpoint := strings.TrimPrefix(path, Prefix)
	if pageEndpoint(endpoint) && fromHTTPS(r) {
		g.wrongScheme(w, r, true)
		return
	}
	g.noticeHTTPS(r)
	switch {
	case endpoint == "logout":
		if allowed(w, r, http.MethodGet, http.MethodHead, http.MethodPost) {
			g.serveLogout(w, r, g.sitePlace(r), siteCookie, clientOf(r.Host))
		}
	case endpoint == "login" && r.Method != http.MethodPost:
		if allowed(w, r, http.MethodGet, http.MethodHead) {
			g.serveLogin(w, r)
		}
	case endpoint == "callback" && g.HasPortal():
		if allowed(w, r, http.MethodGet) {
			g.serveHandover(w, r)
		}
	case endpoint == "" && !g.HasPortal():
		if allowed(w, r, http.MethodGet, http.MethodHead, http.MethodPost) {
			g.serveHome(w, r, g.sitePlace(r))
		}
	case g.HasPortal():
		g.notFound(w, r, g.sitePlace(r))
	default:
		g.serveIssuer(w, r, g.sitePlace(r), endpoint)
	}
}

// allowed answers 405 unless the method is one of those.
func allowed(w http.ResponseWriter, r *Request, methods ...string) bool {
	if slices.Contains(methods, r.Method) {
		return true
	}
	w.Header().Set("Allow", strings.Join(methods, ", "))
	problem(w, http.StatusMethodNotAllowed, "This address takes "+strings.Join(methods, ", ")+".", nil)
	return false
}

// allowedForm is allowed for what only a form of ours is sent to. A person who
// presses Enter in the address bar after it asks for the page that it was on, and
// is led to where that begins.
func (g *Gateway) allowedForm(w http.ResponseWriter, r *Request, beginning string) bool {
	if r.Method == http.MethodPost || callerOf(r.Request) != callerNavigation {
		return allowed(w, r, http.MethodPost)
	}
	w.Header().Set("Allow", http.MethodPost)
	g.Pages.Fault(w, r.Request, http.StatusMethodNotAllowed, page.Fault{
		Title: "Please start again", Message: "This is the address of an answer, and the page that it belongs to is not open any more.",
		Detail: "invalid_request", RetryURL: beginning, RetryLabel: "Start again",
	})
	return false
}

func (g *Gateway) notFound(w http.ResponseWriter, r *Request, at place) {
	if callerOf(r.Request) != callerNavigation {
		problem(w, http.StatusNotFound, "There is nothing at this address.", nil)
		return
	}
	g.Pages.Fault(w, r.Request, http.StatusNotFound, page.Fault{
		Title: "There is nothing here", Message: "The address is not one of ours. Perhaps it was shortened on the way.",
		Detail: "not_found", RetryURL: g.beginning(at), RetryLabel: "Go to the start",
	})
}
