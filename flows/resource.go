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

// serveResourceMetadata answers for the whole site, whatever path the client
// appended: the resource is the origin. Unlike our other answers it may be
// cached.
func (g *Gateway) serveResourceMetadata(w http.ResponseWriter, r *Request) {
	resource := r.origin() + strings.TrimPrefix(r.path(), resourceMetadataPath)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "public, max-age=3600")
	_ = json.NewEncoder(w).Encode(resourceMetadata{
		Resource:             resource,
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
