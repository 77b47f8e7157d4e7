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
