package flows

import (
	"net/http"
	"strings"
)

// ServePortal answers everything below the issuer. The caller has made sure
// that the host is the issuer's.
func (g *Gateway) ServePortal(w http.ResponseWriter, r *Request) {
	noStore(w)
	g.LimitBody(w, r.Request)
	if g.portal.secure() && !r.secure() {
		endpoint, _ := strings.CutPrefix(r.path(), g.portal.path)
		g.wrongScheme(w, r, pageEndpoint(endpoint) && fromHTTPS(r))
		return
	}
	path := strings.TrimSuffix(g.portal.path, "/")
	if g.Keys != nil && r.origin() == g.portal.origin && (r.path() == serverMetadataPath+path || r.path() == openidMetadataPath+path) {
		if allowedToAll(w, r) {
			g.serveDiscovery(w, r, g.portal)
		}
		return
	}
	endpoint, ok := strings.CutPrefix(r.path(), g.portal.path)
	if !ok || r.origin() != g.portal.origin {
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
