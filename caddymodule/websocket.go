package caddymodule

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// openedElsewhere tells whether a page of another host, or of plain http where
// the site is https, opens a WebSocket with the visitor's cookie. No CORS holds
// such a page back, and SameSite holds no cookie back from another sub-domain,
// so it would speak as the visitor (cross-site WebSocket hijacking; RFC 6455,
// section 10.2). Pages of another port have the cookie anyway: cookies know no
// ports.
//
// A program sends no Origin, and no page can send an access token here.
func (g *Guard) openedElsewhere(r *http.Request, v *verdict, id *identity.Identity) bool {
	_, upgrade := r.Header["Upgrade"]
	if !upgrade && r.Method != http.MethodConnect || id.TokenID != "" {
		return false
	}
	for _, origin := range r.Header["Origin"] {
		if !g.isOwnOrigin(origin, r.Host, v.scheme) {
			return true
		}
	}
	return false
}

// isOwnOrigin tells whether an origin is of the host that was asked, or of
// another name that the same site was given.
func (g *Guard) isOwnOrigin(origin, host, scheme string) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "https" && (u.Scheme != "http" || scheme == "https") {
		return false
	}
	name := strings.ToLower(hostName(u.Host))
	if _, ok := g.exact[name]; ok {
		return true
	}
	return name != "" && strings.EqualFold(name, hostName(host))
}

// foreign answers the handshake of another site's page.
func foreign(w http.ResponseWriter) error {
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, "Pages of other sites may not open WebSockets here.", http.StatusForbidden)
	return nil
}
