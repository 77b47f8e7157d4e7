package flows

import (
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// OwnPath reports whether a request URI, as the client sent it, is one of ours on
// a guarded site.
func (g *Gateway) OwnPath(uri string) bool {
	path, _, _ := strings.Cut(uri, "?")
	return web.IsOwnPath(path) || (!g.HasPortal() && isSiteMetadata(path))
}

// isSiteMetadata reports whether a path is where RFC 8414, section 3, puts the
// metadata of an issuer with a path: between host and path.
func isSiteMetadata(path string) bool {
	const issuer = "/.gatehouse"
	return path == serverMetadataPath+issuer || path == openidMetadataPath+issuer
}

// ServeSite answers the paths of [Gateway.OwnPath] on a guarded site. The
// caller has made sure that the host is one of the site's.
func (g *Gateway) ServeSite(w http.ResponseWriter, r *web.Request) {
	web.NoStore(w)
	g.LimitBody(w, r.Request)
	path := r.Path()
	if strings.HasPrefix(path, web.ResourceMetadataPath) {
		if web.AllowedToAll(w, r) {
			g.serveResourceMetadata(w, r)
		}
		return
	}
	if isSiteMetadata(path) && g.Keys != nil && !g.HasPortal() {
		if web.AllowedToAll(w, r) {
			g.serveDiscovery(w, r, r.SiteIssuer())
		}
		return
	}
	endpoint := strings.TrimPrefix(path, web.Prefix)
	if pageEndpoint(endpoint) && fromHTTPS(r) {
		g.wrongScheme(w, r, true)
		return
	}
	g.noticeHTTPS(r)
	switch {
	case endpoint == "logout":
		if web.Allowed(w, r, http.MethodGet, http.MethodHead, http.MethodPost) {
			g.serveLogout(w, r, r.SiteIssuer(), web.SiteCookie, web.ClientOf(r.Host))
		}
	case endpoint == "login" && r.Method != http.MethodPost:
		if web.Allowed(w, r, http.MethodGet, http.MethodHead) {
			g.serveLogin(w, r)
		}
	case endpoint == "watch.js":
		g.serveWatch(w, r)
	case endpoint == "session":
		g.serveSession(w, r)
	case endpoint == "callback" && g.HasPortal():
		if web.Allowed(w, r, http.MethodGet) {
			g.serveHandover(w, r)
		}
	case endpoint == "" && !g.HasPortal():
		if web.Allowed(w, r, http.MethodGet, http.MethodHead, http.MethodPost) {
			g.serveHome(w, r, r.SiteIssuer())
		}
	case g.HasPortal():
		g.answers.NotFound(w, r, r.SiteIssuer())
	default:
		g.serveIssuer(w, r, r.SiteIssuer(), endpoint)
	}
}
