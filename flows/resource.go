package flows

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/resource"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// resourceMetadata is what a protected resource says of itself (RFC 9728, section 2).
type resourceMetadata struct {
	Resource             string   `json:"resource"`
	Name                 string   `json:"resource_name"`
	AuthorizationServers []string `json:"authorization_servers"`
	Scopes               []string `json:"scopes_supported,omitempty"`
	BearerMethods        []string `json:"bearer_methods_supported"`
}

// serveResourceMetadata describes the resource whose path follows the well-known one
// (section 3.1), in the spelling in which it was asked for: clients compare that to the
// byte (section 3.3). What would have them fetch tokens that open nothing is 404, at which
// they ask for the origin's. Unlike our other answers it may be cached.
func (g *Gateway) serveResourceMetadata(w http.ResponseWriter, r *web.Request) {
	path := strings.TrimPrefix(r.Path(), web.ResourceMetadataPath)
	id, err := resource.ParseIdentifier(r.Origin() + path)
	found, ok := g.Resources.Find(id)
	if err != nil || !ok {
		web.Problem(w, http.StatusNotFound, "There is no resource of that path; see "+r.Origin()+web.ResourceMetadataPath+".", nil)
		return
	}
	name := found.Name
	if name == "" {
		name = web.HostName(r.Host) + id.Path
	}
	w.Header().Set("Content-Type", "application/json")
	asSent := r.Scheme + "://" + r.Host
	if asSent == r.Origin() {
		mayKeep(w, r, true)
	} else {
		web.NoStore(w) // caches know a host by any spelling
	}
	_ = json.NewEncoder(w).Encode(resourceMetadata{
		Resource:             asSent + path,
		Name:                 name,
		AuthorizationServers: []string{g.issuerOf(r).ID()},
		Scopes:               found.Scopes,
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
