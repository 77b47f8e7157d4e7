package caddymodule

import (
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/flows"
)

// front meets the requests of a server before any of its handlers does. Many
// directives come before the guard (header, map, vars, rewrite): what they make of
// {http.auth.user.id} must not be those very letters, which an upstream would take
// for somebody's name, and what they log of our own addresses must not be a code.
//
// A handler can only be where its route is, so the front is a matcher, the first of
// the server's first route, and matches everything. Caddy's own matchers set
// placeholders, too.
type front struct {
	app *App
	// guards say which hosts it is for; guardsMu of the app guards the list.
	guards []*Guard
	names  atomic.Pointer[hostNames] // nil until they are known: then all are
}

// hostNames are the names of the guarded sites of a server.
type hostNames struct {
	exact    map[string]struct{}
	patterns []string
	portal   string
}

// standInFront puts a front before the routes of the server that a guard is of,
// unless there is one, and has it look after the guard's names. It is called while
// Caddy provisions the server, so no request is there yet.
func (a *App) standInFront(ctx caddy.Context, g *Guard) {
	server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok || server == nil {
		return // provisioned by a program: the guard does by itself what it can
	}
	a.guardsMu.Lock()
	defer a.guardsMu.Unlock()
	f := a.fronts[server]
	if f == nil {
		f = &front{app: a}
		if a.fronts == nil {
			a.fronts = make(map[*caddyhttp.Server]*front)
		}
		a.fronts[server] = f
		f.precede(server)
	}
	f.guards = append(f.guards, g)
}

// precede puts the front before a server's routes and before those of its errors:
// some errors arise before any route.
func (f *front) precede(server *caddyhttp.Server) {
	begun := inProgress(server.Routes)
	f.prepend(server.Routes, begun)
	switch {
	case server.Errors == nil || len(server.Errors.Routes) == 0:
	case begun: // these are to come
		own := caddyhttp.Route{MatcherSets: caddyhttp.MatcherSets{{f}}}
		server.Errors.Routes = append(caddyhttp.RouteList{own}, server.Errors.Routes...)
	default:
		f.prepend(server.Errors.Routes, inProgress(server.Errors.Routes))
	}
}

// inProgress reports whether the handlers of some route are not provisioned yet.
// The list is compiled, that is copied, when all are.
func inProgress(routes caddyhttp.RouteList) bool {
	for i := range routes {
		if len(routes[i].HandlersRaw) > 0 {
			return true
		}
	}
	return false
}

// prepend makes the front the first matcher of the first route. Of a list that was
// compiled the matcher sets can still be changed, but not whether there are any: a
// guard in a named route (of `invoke`) is provisioned that late.
func (f *front) prepend(routes caddyhttp.RouteList, inProgress bool) {
	for i := range routes {
		sets := routes[i].MatcherSets
		if len(sets) > 0 {
			sets[0] = append(caddyhttp.MatcherSet{f}, sets[0]...)
			return
		}
		if inProgress {
			routes[i].MatcherSets = caddyhttp.MatcherSets{{f}}
			return
		}
	}
}

// MatchWithError implements [caddyhttp.RequestMatcherWithError].
func (f *front) MatchWithError(r *http.Request) (bool, error) {
	names := f.names.Load()
	if names != nil && !names.has(r.Host) {
		return true, nil
	}
	if verdictOf(r) == nil {
		newVerdict(r)
	}
	if strings.Contains(r.RequestURI, "?") {
		f.hideQuery(r, names)
	}
	return true, nil
}

// hideQuery leaves the query of our own addresses out of what the handlers before
// the guard see, if it holds a code, a state or a token: Caddy's `rewrite` logs the
// request at DEBUG. The access log has the address from before, so the request is
// left out there; serveOwn writes a line of its own. What is ours is read from the
// address as it was sent.
func (f *front) hideQuery(r *http.Request, names *hostNames) {
	gateway := f.app.gateway.Load()
	uri, err := originalURI(r)
	if gateway == nil || err != nil || !gateway.OwnPath(uri) && !names.ofPortal(r.Host, uri, gateway) {
		return
	}
	path, query, _ := strings.Cut(uri, "?")
	if !hasSecret(query) {
		return
	}
	r.URL.RawQuery, r.URL.ForceQuery = "", false
	r.RequestURI = path
	caddyhttp.SetVar(r.Context(), caddyhttp.LogSkipVar, true)
}

// ofPortal reports whether a request is for an endpoint of the portal.
func (n *hostNames) ofPortal(host, uri string, gateway *flows.Gateway) bool {
	return n != nil && n.portal != "" && strings.EqualFold(hostName(host), n.portal) && gateway.OwnPortalPath(uri)
}

// learnNames tells the fronts which hosts they are for. It is called when the
// guards know.
func (a *App) learnNames() {
	a.guardsMu.Lock()
	defer a.guardsMu.Unlock()
	for _, f := range a.fronts {
		names := &hostNames{exact: make(map[string]struct{}), portal: a.portalHost}
		for _, g := range f.guards {
			for name := range g.exact {
				names.exact[name] = struct{}{}
			}
			names.patterns = append(names.patterns, g.patterns...)
		}
		f.names.Store(names)
	}
}

// has reports whether a Host header names a guarded site, or cannot be read.
func (n *hostNames) has(host string) bool {
	name := hostName(host)
	if _, ok := n.exact[name]; ok || name == "" {
		return true
	}
	name = strings.ToLower(name)
	if _, ok := n.exact[name]; ok {
		return true
	}
	for _, p := range n.patterns {
		if matchName(p, name) {
			return true
		}
	}
	return false
}

// withoutFront is a matcher set as the configuration has it.
func withoutFront(set caddyhttp.MatcherSet) caddyhttp.MatcherSet {
	if len(set) > 0 {
		if _, ok := set[0].(*front); ok {
			return set[1:]
		}
	}
	return set
}

// Interface guard
var _ caddyhttp.RequestMatcherWithError = (*front)(nil)
