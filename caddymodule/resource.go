package caddymodule

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/gatehouse-auth/gatehouse/flows/resource"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// Resource is a path of a site for which tokens are issued, and which no other token opens.
type Resource struct {
	// The path, such as `/mcp`. What is below it belongs to it.
	Path string `json:"path"`
	// What it is called, for people. Default: the host and the path.
	Name string `json:"name,omitempty"`
}

// parseResource parses `resource <path> [<name>]`.
func (g *Guard) parseResource(h httpcaddyfile.Helper) error {
	args := h.RemainingArgs()
	if len(args) < 1 || len(args) > 2 {
		return h.Err(`resource takes a path and, if people should see another name than that, the name in quotes: resource /mcp "Example files"`)
	}
	r := Resource{Path: args[0]}
	if len(args) == 2 {
		r.Name = args[1]
	}
	if slices.ContainsFunc(g.Resources, func(other Resource) bool {
		return strings.EqualFold(strings.TrimSuffix(other.Path, "/"), strings.TrimSuffix(r.Path, "/"))
	}) {
		return h.Errf("resource %s is given twice", r.Path)
	}
	g.Resources = append(g.Resources, r)
	if err := r.check(); err != nil {
		return h.WrapErr(err)
	}
	return noBlock(h.Dispenser)
}

func (r Resource) check() error {
	if err := resource.CheckPath(r.Path); err != nil {
		return fmt.Errorf("resource %s: %w", r.Path, err)
	}
	return nil
}

func (g *Guard) checkResources() error {
	for _, r := range g.Resources {
		if err := r.check(); err != nil {
			return err
		}
	}
	return nil
}

// resourcePaths are the paths of the resources that the guard speaks of; "" is the origin.
func (g *Guard) resourcePaths() []string {
	if len(g.Resources) == 0 {
		return []string{""}
	}
	var paths []string
	for _, r := range g.Resources {
		paths = append(paths, strings.TrimSuffix(r.Path, "/"))
	}
	return paths
}

// resources are those of all guards. A guard that names none speaks of its site's origin.
func (a *App) resources() (*resource.Set, error) {
	a.guardsMu.Lock()
	defer a.guardsMu.Unlock()
	var all []resource.Resource
	for _, g := range a.guards {
		about := resource.Resource{Sites: origins(g.standsAt)}
		if g.Require != nil {
			about.Scopes = g.Require.Scopes
		}
		if g.SelfRegistered != nil {
			about.Scopes = slices.Concat(about.Scopes, g.SelfRegistered.Scopes)
		}
		// Not everybody who signs in for a part of a site needs what another part does.
		if g.ProviderToken != "" && !g.ProviderTokenService && (len(g.Resources) > 0 || len(g.MatcherSetsRaw) == 0) {
			about.Providers = []resource.Provider{{Name: g.ProviderToken, Scopes: g.ProviderTokenScopes}}
		}
		if len(g.Resources) == 0 {
			all = append(all, about)
			continue
		}
		for _, r := range g.Resources {
			named := about
			named.Path, named.Name = r.Path, r.Name
			all = append(all, named)
		}
	}
	return resource.NewSet(all)
}

// needsScope are the scopes that a token needs for a request, by all guards of the site
// that it must sign in at.
func (s *siteTerms) needsScope(r *http.Request) []string {
	var all []string
	for _, g := range s.scoped {
		if len(g.matchers) > 0 {
			if match, err := g.mustSignIn(r); err != nil || !match {
				continue
			}
		}
		for _, scope := range g.Require.Scopes {
			if !slices.Contains(all, scope) {
				all = append(all, scope)
			}
		}
	}
	return all
}

// admitAgents lets pages of any origin call a named resource, by a token: what a page may
// send without one, any program may. A browser's preflight has no token, so nobody could
// judge it. Cookies are not for such pages: browsers keep back the answer, and the guard
// refuses the request.
func (v *verdict) admitAgents(w http.ResponseWriter, r *http.Request) (answered bool) {
	if v.resource == "" || v.fitting.cors || r.Header["Origin"] == nil {
		return false
	}
	v.fitting.agents = true
	h := w.Header()
	h["Access-Control-Allow-Origin"] = []string{"*"}
	if web.IsPreflight(r) {
		web.AnswerPageMayCall(w, r)
		return true
	}
	h["Access-Control-Expose-Headers"] = []string{exposedToAgents}
	return false
}

// exposedToAgents are the headers of answers that pages must be able to read: what the
// Model Context Protocol carries in them, and why a request was refused.
const exposedToAgents = "WWW-Authenticate, Retry-After, Mcp-Session-Id, Mcp-Protocol-Version"
