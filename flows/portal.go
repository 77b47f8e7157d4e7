package flows

import (
	"net/http"
	"strings"
)

// OwnPortalPath reports whether a request URI, as the client sent it, is that of an
// endpoint of ours at the portal's host.
func (g *Gateway) OwnPortalPath(uri string) bool {
	if !g.HasPortal() {
		return false
	}
	path, _, _ := strings.Cut(uri, "?")
	endpoint, ok := strings.CutPrefix(path, g.portal.path)
	if !ok || g.portal.path != "/" {
		return ok
	}
	first, _, _ := strings.Cut(endpoint, "/")
	switch first {
	case "login", "signin", "callback", "backchannel_logout", "authorize", "consent", "logout",
		"token", "par", "revoke", "device_authorization", "introspect", "device", "userinfo":
		return true
	}
	return false
}

// ServePortal answers everything below the issuer. The caller has made sure
// that the host is the issuer's.
func (g *Gateway) ServePortal(w http.ResponseWriter, r *Request) {
	noStore(w)
	g.LimitBody(w, r.Request)
	endpoint, below := strings.CutPrefix(r.path(), g.portal.path)
	form := below && pageEndpoint(endpoint) && fromHTTPS(r)
	switch {
	case form, g.portal.secure() && !r.secure():
		g.wrongScheme(w, r, form)
		return
	case r.secure() && !g.portal.secure():
		g.wrongIssuer(w, r)
		return
	}
	g.noticeHTTPS(r)
	path := strings.TrimSuffix(g.portal.path, "/")
	if g.Keys != nil && r.origin() == g.portal.origin && (r.path() == serverMetadataPath+path || r.path() == openidMetadataPath+path) {
		if allowedToAll(w, r) {
			g.serveDiscovery(w, r, g.portal)
		}
		return
	}
	if !below || r.origin() != g.portal.origin {
		g.notFound(w, r, g.portal)
		return
	}
	switch endpoint {
	case "":
		if allowed(w, r, http.MethodGet, http.MethodHead, http.MethodPost) {
			g.serveHome(w, r, g.portal)
		}
	case "logout":
		if allowed(w, r, http.MethodGet, http.MethodHead, http.MethodPost) {
			g.serveLogout(w, r, g.portal, portalCookie, portalClient)
		}
	default:
		g.serveIssuer(w, r, g.portal, endpoint)
	}
}
