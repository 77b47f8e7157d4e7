package flows

import (
	"net/url"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// maxResources that one request may name.
const maxResources = 8

// maxResource is the most bytes that one may have.
const maxResource = 512

// allowedResources checks the resource parameters of a request (RFC 8707): each
// an absolute URI without fragment, and one that the client may have: of its
// list; or without a list any guarded site for a first-party client, and none
// for another one.
func (g *Gateway) allowedResources(at web.Issuer, c *client.Client, values []string) ([]string, error) {
	if len(values) > maxResources {
		return nil, invalid("invalid_target", "too many resources")
	}
	var resources []string
	for _, v := range values {
		u, err := parseResource(v)
		if err != nil {
			return nil, err
		}
		if !g.mayTarget(at, c, v, u) {
			return nil, invalid("invalid_target", "the client may not ask for that resource")
		}
		if !slices.Contains(resources, v) {
			resources = append(resources, v)
		}
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
	return slices.DeleteFunc(slices.Clone(granted), func(v string) bool {
		u, err := url.Parse(v)
		return err != nil || !g.mayTarget(req.at, req.client, v, u)
	})
}

func (g *Gateway) mayTarget(at web.Issuer, c *client.Client, v string, u *url.URL) bool {
	if c.SelfRegistered {
		return g.opened(at, v) != nil
	}
	if v == at.ID() || v == c.Audience {
		return true
	}
	if len(c.Resources) > 0 {
		return slices.Contains(c.Resources, v)
	}
	if u.Host == "" || u.User != nil || !c.FirstParty {
		return false
	}
	if !g.HasPortal() {
		return u.Scheme+"://"+web.CanonicalHost(u.Scheme, u.Host) == at.Origin
	}
	for _, p := range g.sites {
		if p.Matches(u.Scheme, u.Host) {
			return true
		}
	}
	return false
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
