package flows

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// resourceMetadata tells clients which authorization server to ask.
type resourceMetadata struct {
	Resource             string   `json:"resource"`
	AuthorizationServers []string `json:"authorization_servers"`
	BearerMethods        []string `json:"bearer_methods_supported"`
}

// serveResourceMetadata describes the site: the resource is its origin, for that
// is what a token's audience must hold to open it. There is none for a path of it
// (section 3.1), which would have clients fetch tokens that open nothing; on a 404
// they ask for the origin's. Unlike our other answers it may be cached.
func (g *Gateway) serveResourceMetadata(w http.ResponseWriter, r *web.Request) {
	if strings.TrimSuffix(r.Path(), "/") != web.ResourceMetadataPath {
		web.Problem(w, http.StatusNotFound, "The resource is the whole site: see "+r.Origin()+web.ResourceMetadataPath+".", nil)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	mayKeep(w, r, true)
	_ = json.NewEncoder(w).Encode(resourceMetadata{
		Resource:             r.Origin(),
		AuthorizationServers: []string{g.issuerOf(r).ID()},
		BearerMethods:        []string{"header"},
	})
}

// issuerOf is the place that people of a site sign in at.
func (g *Gateway) issuerOf(r *web.Request) web.Issuer {
	if g.HasPortal() {
		return g.portal
	}
	return web.SiteIssuer(r.Origin(), web.ClientOf(r.Host))
}
