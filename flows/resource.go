package flows

import (
	"encoding/json"
	"net/http"
	"strings"
)

// resourceMetadataPath is where a protected resource describes itself
// (RFC 9728, section 3).
const resourceMetadataPath = "/.well-known/oauth-protected-resource"

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
func (g *Gateway) serveResourceMetadata(w http.ResponseWriter, r *Request) {
	if strings.TrimSuffix(r.path(), "/") != resourceMetadataPath {
		problem(w, http.StatusNotFound, "The resource is the whole site: see "+r.origin()+resourceMetadataPath+".", nil)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	mayKeep(w, r, true)
	_ = json.NewEncoder(w).Encode(resourceMetadata{
		Resource:             r.origin(),
		AuthorizationServers: []string{g.issuerOf(r).issuer()},
		BearerMethods:        []string{"header"},
	})
}

// issuerOf is the place that people of a site sign in at.
func (g *Gateway) issuerOf(r *Request) place {
	if g.HasPortal() {
		return g.portal
	}
	return sitePlace(r.origin(), clientOf(r.Host))
}
