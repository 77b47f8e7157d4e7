package flows

import (
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/registration"
	"github.com/gatehouse-auth/gatehouse/flows/resource"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// Registration says how clients may register themselves. The zero value: they may not.
type Registration struct {
	// Dynamic takes dynamic registrations (RFC 7591).
	Dynamic bool
	// Documents fetches clients' metadata documents. Nil: none are taken.
	Documents *registration.Documents
	// Open are the resources that such clients may ask for, and the only ones.
	Open []OpenResource
}

// OpenResource is a resource that clients may ask for which registered themselves.
// Several may be about one; all that they say holds then.
type OpenResource struct {
	// Origin of the site, exact or with a wildcard label, as in [Config.Sites].
	Origin string
	// Path of the resource, such as /mcp. Default: the origin is the resource.
	Path string
	// Scopes that may be asked for. Default: none.
	Scopes []string
	// ProviderTokens names the providers whose tokens for the person go upstream there.
	ProviderTokens []string
}

// openResource is an OpenResource whose origin was read.
type openResource struct {
	OpenResource
	pattern web.OriginPattern
}

func parseOpen(open []OpenResource) ([]openResource, error) {
	var all []openResource
	for _, o := range open {
		pattern, err := web.ParseOriginPattern(o.Origin)
		if err != nil {
			return nil, err
		}
		all = append(all, openResource{OpenResource: o, pattern: pattern})
	}
	return all, nil
}

// registers reports whether clients may register themselves at an issuer: the
// configuration says how, and there is something for them to ask for.
func (g *Gateway) registers(at web.Issuer) bool {
	if !g.Registration.Dynamic && g.Registration.Documents == nil {
		return false
	}
	return slices.ContainsFunc(g.open, func(o openResource) bool { return g.isOpenAt(at, &o) })
}

// isOpenAt reports whether an issuer's tokens may be for a resource.
func (g *Gateway) isOpenAt(at web.Issuer, o *openResource) bool {
	if g.HasPortal() {
		return true
	}
	scheme, host, _ := strings.Cut(at.Origin, "://")
	return o.pattern.Matches(scheme, host)
}

// opened is what a guard says of a resource to clients that registered themselves, or nil
// if none lets them in.
func (g *Gateway) opened(at web.Issuer, named string) *OpenResource {
	id, err := resource.ParseIdentifier(named)
	if err != nil || !g.HasPortal() && id.Origin != at.Origin {
		return nil
	}
	of, ok := g.Resources.Find(id)
	if !ok {
		return nil
	}
	scheme, host, _ := strings.Cut(id.Origin, "://")
	var found *OpenResource
	for _, o := range g.open {
		if o.Path != of.Path || !o.pattern.Matches(scheme, host) {
			continue
		}
		if found == nil {
			found = &OpenResource{}
		}
		found.Scopes = merged(found.Scopes, o.Scopes)
		found.ProviderTokens = merged(found.ProviderTokens, o.ProviderTokens)
	}
	return found
}

// merged is a list with what it lacks of another.
func merged(list, more []string) []string {
	for _, v := range more {
		if !slices.Contains(list, v) {
			list = append(list, v)
		}
	}
	return list
}

// onlyOpen is the resource that a client means that names none: the only one that there
// is, or "".
func (g *Gateway) onlyOpen(at web.Issuer) string {
	var only string
	for i := range g.open {
		o := &g.open[i]
		if !g.isOpenAt(at, o) {
			continue
		}
		named := o.Origin + o.Path
		if !g.HasPortal() {
			named = at.Origin + o.Path
		}
		if strings.Contains(named, "*") || only != "" && only != named {
			return ""
		}
		only = named
	}
	return only
}

// isSelfRegistered reports whether an id is that of a client which registered itself.
func (g *Gateway) isSelfRegistered(id string) bool {
	return registration.IsID(id) && g.Clients[id] == nil
}

// selfRegistered is the client of an id that it was given by its own registration, or
// nil. One that has a metadata document comes without what is in that: it has yet to be
// read, by [Gateway.settle].
func (g *Gateway) selfRegistered(at web.Issuer, id string) *client.Client {
	if !registration.IsID(id) || !g.registers(at) {
		return nil
	}
	if registration.IsDocument(id) {
		if g.Registration.Documents == nil || g.Registration.Documents.Check(id) != nil {
			return nil
		}
		return (&registration.Registration{Refresh: true}).Client(id)
	}
	if !g.Registration.Dynamic {
		return nil
	}
	r := registration.Open(g.Keyring, at.ID(), id, g.Now())
	if r == nil {
		return nil
	}
	return r.Client(id)
}

// isUnread reports whether a client has a metadata document that was not read yet.
func isUnread(c *client.Client) bool {
	return c.SelfRegistered && c.Document == "" && registration.IsDocument(c.ID)
}

// findClient finds a client that is configured here, or has registered itself.
func (g *Gateway) findClient(at web.Issuer, id string) *client.Client {
	if c := g.Clients[id]; c != nil {
		return c
	}
	return g.selfRegistered(at, id)
}

// limited is a client as it may be at resources: one that registered itself may have the
// scopes that guards list, at one resource at a time, so that no token opens two.
func (g *Gateway) limited(at web.Issuer, c *client.Client, resources []string) *client.Client {
	if !c.SelfRegistered {
		return c
	}
	l := *c
	l.Scopes = nil
	if len(resources) == 1 {
		if o := g.opened(at, resources[0]); o != nil {
			l.Scopes = slices.Clone(o.Scopes)
		}
	}
	if l.Allows(client.GrantRefresh) {
		l.Scopes = merged(l.Scopes, []string{client.OfflineAccess})
	}
	return &l
}

// aimed is a client with the resources that it asks for. One that registered itself has
// to ask for one, and means the only one there is if it names none: many clients do not
// know of the parameter (RFC 8707).
func (g *Gateway) aimed(at web.Issuer, c *client.Client, resources []string) (*client.Client, []string, error) {
	if !c.SelfRegistered {
		return c, resources, nil
	}
	if only := g.onlyOpen(at); len(resources) == 0 && only != "" {
		resources = []string{only}
	}
	if len(resources) != 1 {
		return c, nil, invalid("invalid_target", "a client that registered itself must ask for one resource")
	}
	return g.limited(at, c, resources), resources, nil
}
