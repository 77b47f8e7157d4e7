package flows

import (
	"net/url"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/resource"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// maxResources that one request may name.
const maxResources = 8

// maxResource is the most bytes that one may have.
const maxResource = 512

// allowedResources checks the resource parameters of a request (RFC 8707): each
// an absolute URI without fragment, and one that the client may have: of its
// list; or without a list any guarded site's for a first-party client, and none
// for another one. Those of guarded sites are returned in their canonical spelling.
func (g *Gateway) allowedResources(at web.Issuer, c *client.Client, values []string) ([]string, error) {
	if len(values) > maxResources {
		return nil, invalid("invalid_target", "too many resources")
	}
	var resources []string
	for _, v := range values {
		if _, err := parseResource(v); err != nil {
			return nil, err
		}
		target, err := g.target(at, c, v)
		if err != nil {
			return nil, err
		}
		resources = appendMissing(resources, target)
	}
	return resources, nil
}

// parseResource reads a resource parameter: an absolute URI without fragment (RFC 8707,
// section 2), of at most 512 bytes.
func parseResource(v string) (*url.URL, error) {
	u, err := url.Parse(v)
	if err != nil || u.Scheme == "" || len(v) > maxResource || strings.Contains(v, "#") {
		return nil, invalid("invalid_target", "a resource must be an absolute URI without a fragment")
	}
	return u, nil
}

// stillTargets are those of the granted resources that the client may have as it
// is configured now.
func (g *Gateway) stillTargets(req *endpointRequest, granted []string) []string {
	var still []string
	for _, v := range granted {
		if target, err := g.target(req.at, req.client, v); err == nil {
			still = appendMissing(still, target)
		}
	}
	return still
}

// target returns the resource that a client may have a token for by a name of it. One of
// a guarded site is known in any spelling of its URL, and must be one that a guard there
// takes tokens for; of all others the client must have the very name in its list.
func (g *Gateway) target(at web.Issuer, c *client.Client, v string) (string, error) {
	if c.SelfRegistered {
		if id, err := resource.ParseIdentifier(v); err == nil && g.opened(at, v) != nil {
			return id.String(), nil
		}
		return "", errTarget()
	}
	if v == at.ID() || v == c.Audience {
		return v, nil
	}
	id, err := resource.ParseIdentifier(v)
	if err != nil || !g.isGuarded(at, id) {
		if slices.Contains(c.Resources, v) && !g.isAtGuarded(at, v) {
			return v, nil
		}
		return "", errTarget()
	}
	if _, ok := g.Resources.Find(id); !ok || !at.IsPortal && id.Origin != at.Origin {
		return "", invalid("invalid_target", "no site here takes tokens for that resource")
	}
	if len(c.Resources) == 0 {
		if !c.FirstParty {
			return "", errTarget()
		}
		return id.String(), nil
	}
	for _, listed := range c.Resources {
		if may, err := resource.ParseIdentifier(listed); err == nil && g.Resources.Covers(may, id) {
			return id.String(), nil
		}
	}
	return "", errTarget()
}

func errTarget() error { return invalid("invalid_target", "the client may not ask for that resource") }

// isGuarded reports whether a resource is at a guarded site.
func (g *Gateway) isGuarded(at web.Issuer, id resource.Identifier) bool {
	if !at.IsPortal && id.Origin == at.Origin {
		return true
	}
	if g.Resources.HasSite(id.Origin) {
		return true
	}
	scheme, host, _ := strings.Cut(id.Origin, "://")
	return slices.ContainsFunc(g.sites, func(p web.OriginPattern) bool { return p.Matches(scheme, host) })
}

// isAtGuarded reports whether a URL that names no resource (it has a query, or a path that
// servers read in different ways) is at a guarded site, where it would open nothing.
func (g *Gateway) isAtGuarded(at web.Issuer, v string) bool {
	u, err := url.Parse(v)
	return err == nil && u.Host != "" && g.isGuarded(at, resource.Identifier{Origin: u.Scheme + "://" + web.CanonicalHost(u.Scheme, u.Host)})
}

// audience of an access token: the resources asked for, else the client's own,
// else the issuer.
func audience(at web.Issuer, c *client.Client, resources []string) []string {
	switch {
	case len(resources) > 0:
		return resources
	case c.Audience != "":
		return []string{c.Audience}
	}
	return []string{at.ID()}
}
