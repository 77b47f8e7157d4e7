package flows

import (
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// OwnPortalPath reports whether a request URI, as the client sent it, is that of an
// endpoint of ours at the portal's host.
func (g *Gateway) OwnPortalPath(uri string) bool {
	if !g.HasPortal() {
		return false
	}
	path, _, _ := strings.Cut(uri, "?")
	endpoint, ok := strings.CutPrefix(path, g.portal.Path)
	if !ok || g.portal.Path != "/" {
		return ok
	}
	first, _, _ := strings.Cut(endpoint, "/")
	switch first {
	case "login", "signin", "callback", "backchannel_logout", "authorize", "consent", "link", "logout",
		"token", "par", "revoke", "device_authorization", "introspect", "device", "userinfo":
		return true
	case "register":
		return g.Registration.Dynamic
	}
	return false
}

// ServePortal answers everything below the issuer. The caller has made sure
// that the host is the issuer's.
func (g *Gateway) ServePortal(w http.ResponseWriter, r *web.Request) {
	web.NoStore(w)
	g.LimitBody(w, r.Request)
	endpoint, below := strings.CutPrefix(r.Path(), g.portal.Path)
	form := below && pageEndpoint(endpoint) && fromHTTPS(r)
	switch {
	case form, g.portal.Secure() && !r.Secure():
		g.wrongScheme(w, r, form)
		return
	case r.Secure() && !g.portal.Secure():
		g.wrongIssuer(w, r)
		return
	}
	g.noticeHTTPS(r)
	path := strings.TrimSuffix(g.portal.Path, "/")
	if g.Keys != nil && r.Origin() == g.portal.Origin && (r.Path() == serverMetadataPath+path || r.Path() == openidMetadataPath+path) {
		if web.AllowedToAll(w, r) {
			g.serveDiscovery(w, r, g.portal)
		}
		return
	}
	if !below || r.Origin() != g.portal.Origin {
		g.answers.NotFound(w, r, g.portal)
		return
	}
	switch endpoint {
	case "":
		if web.Allowed(w, r, http.MethodGet, http.MethodHead, http.MethodPost) {
			g.serveHome(w, r, g.portal)
		}
	case "logout":
		if web.Allowed(w, r, http.MethodGet, http.MethodHead, http.MethodPost) {
			g.serveLogout(w, r, g.portal, web.PortalCookie, portalClient)
		}
	default:
		g.serveIssuer(w, r, g.portal, endpoint)
	}
}
