package caddymodule

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// routeWalk looks for guards in a server's routes.
type routeWalk struct {
	server  *caddyhttp.Server
	invoked []string // named routes on the way, against loops
	onError bool     // in routes that errors go through
	found   []spot
	asked   []*ForwardAuth
	portals [][]caddyhttp.MatcherSet // what is around each portal
	made    sight                    // what its variables are made of
}

// spot is a guard and the matchers around it, the outermost first.
type spot struct {
	guard   *Guard
	around  []caddyhttp.MatcherSet
	onError bool
}

func (w *routeWalk) routes(routes caddyhttp.RouteList, around []caddyhttp.MatcherSet) error {
	for i := range routes {
		route := &routes[i]
		// Matcher sets are alternatives: the guard must be fine in each.
		ways := [][]caddyhttp.MatcherSet{around}
		if len(route.MatcherSets) > 0 {
			ways = ways[:0]
			for _, set := range route.MatcherSets {
				ways = append(ways, append(slices.Clone(around), set))
			}
		}
		for _, way := range ways {
			for _, handler := range route.Handlers {
				if err := w.handler(handler, way); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (w *routeWalk) handler(handler caddyhttp.MiddlewareHandler, around []caddyhttp.MatcherSet) error {
	w.noteVariables(handler, around)
	switch h := handler.(type) {
	case *Guard:
		s := spot{guard: h, around: around, onError: w.onError}
		if err := s.checkReach(); err != nil {
			return err
		}
		w.found = append(w.found, s)
	case *ForwardAuth:
		if err := h.checkReach(around); err != nil {
			return err
		}
		w.asked = append(w.asked, h)
	case *Portal:
		w.portals = append(w.portals, around)
	case *caddyhttp.Subroute:
		if err := w.routes(h.Routes, around); err != nil {
			return err
		}
		return w.errors(h.Errors, around)
	case *caddyhttp.Invoke:
		named, ok := w.server.NamedRoutes[h.Name]
		if !ok || slices.Contains(w.invoked, h.Name) {
			return nil
		}
		w.invoked = append(w.invoked, h.Name)
		defer func() { w.invoked = w.invoked[:len(w.invoked)-1] }()
		return w.routes(caddyhttp.RouteList{*named}, around)
	}
	return nil
}

// errors looks in the routes that errors go through.
func (w *routeWalk) errors(config *caddyhttp.HTTPErrorConfig, around []caddyhttp.MatcherSet) error {
	if config == nil {
		return nil
	}
	defer func(before bool) { w.onError = before }(w.onError)
	w.onError = true
	return w.routes(config.Routes, around)
}

// names are the host names that a guard's site answers to: those of the host
// matchers around it, or the guard's own list.
func (s spot) names() ([]string, error) {
	if len(s.guard.Hosts) > 0 {
		return s.guard.Hosts, nil
	}
	names, limited := hostsAround(s.around)
	if !limited || slices.Contains(names, "*") {
		return nil, noHost("a site with a gatehouse guard")
	}
	for i, n := range names {
		names[i] = strings.ToLower(caddy.NewReplacer().ReplaceKnown(n, ""))
	}
	return names, nil
}

// hostsAround are the names that host matchers leave, if there are any.
func hostsAround(around []caddyhttp.MatcherSet) (names []string, limited bool) {
	for _, set := range around {
		for _, matcher := range set {
			hosts, ok := matcher.(*caddyhttp.MatchHost)
			if !ok {
				continue
			}
			if !limited {
				names, limited = slices.Clone(*hosts), true
				continue
			}
			names = bothNames(names, *hosts)
		}
	}
	return names, limited
}

// servesHost reports whether a route with these matchers around it is reached by a
// host name.
func servesHost(around []caddyhttp.MatcherSet, host string) bool {
	names, limited := hostsAround(around)
	return !limited || slices.ContainsFunc(names, func(n string) bool {
		return matchName(caddy.NewReplacer().ReplaceKnown(n, ""), host)
	})
}

// bothNames are the names that match two lists, the narrower spelling of each.
func bothNames(a, b []string) []string {
	var both []string
	for _, x := range a {
		for _, y := range b {
			switch {
			case matchName(x, y):
				both = append(both, y)
			case matchName(y, x):
				both = append(both, x)
			}
		}
	}
	slices.Sort(both)
	return slices.Compact(both)
}

// matchName reports whether a pattern, whose labels may be "*", covers a name.
func matchName(pattern, name string) bool {
	if strings.EqualFold(pattern, name) {
		return true
	}
	p, n := strings.Split(pattern, "."), strings.Split(name, ".")
	if len(p) != len(n) || !strings.Contains(pattern, "*") {
		return false
	}
	for i := range p {
		if n[i] == "" || p[i] != "*" && !strings.EqualFold(p[i], n[i]) {
			return false
		}
	}
	return true
}

// probes are requests that a guard must see for people to sign in.
var probes = []struct{ method, path string }{
	{http.MethodGet, web.Prefix + "login?return_to=%2F"},
	{http.MethodPost, web.Prefix + "login"},
	{http.MethodGet, web.Prefix + "callback/provider?code=code&state=state"},
	{http.MethodPost, web.Prefix + "logout"},
}

// checkReach refuses a guard that a path or method matcher would keep its own
// endpoints away from: signing in would end in a loop or a 404.
func (s spot) checkReach() error {
	for _, set := range s.around {
		for _, matcher := range set {
			for _, probe := range probes {
				if reaches(matcher, probeRequest(probe.method, probe.path, s.anyName())) {
					continue
				}
				return fmt.Errorf("site %s: a gatehouse guard stands inside %s, which keeps %s* away from it, so nobody could sign in; "+
					"write the guard at the top of the site instead, with the matcher: %s",
					s.siteName(), describe(matcher), web.Prefix, s.advice(matcher))
			}
		}
	}
	return nil
}

func (s spot) siteName() string {
	names, err := s.names()
	if err != nil || len(names) == 0 {
		return "without a name"
	}
	return strings.Join(names, ", ")
}

// advice is the line to write instead.
func (s spot) advice(matcher any) string {
	var line strings.Builder
	line.WriteString("gatehouse")
	if path, ok := matcher.(*caddyhttp.MatchPath); ok && len(*path) == 1 {
		line.WriteString(" " + (*path)[0])
	} else if matcher != nil {
		line.WriteString(" @matcher")
	}
	for _, p := range s.guard.Policies {
		line.WriteString(" " + p)
	}
	return line.String()
}

func describe(matcher any) string {
	if path, ok := matcher.(*caddyhttp.MatchPath); ok {
		return "a route for the path " + strings.Join(*path, " ")
	}
	if m, ok := matcher.(caddy.Module); ok {
		return "a route with the matcher " + m.CaddyModule().ID.Name()
	}
	return "a route with a matcher"
}

// reaches reports whether a matcher lets a request through, as far as its path,
// method and query decide. Whatever looks at something else (an address, a
// header) may let it through.
func reaches(matcher any, r *http.Request) bool {
	switch m := matcher.(type) {
	case *caddyhttp.MatchPath, *caddyhttp.MatchPathRE, *caddyhttp.MatchMethod, *caddyhttp.MatchQuery:
		ok, err := m.(caddyhttp.RequestMatcherWithError).MatchWithError(r)
		return err == nil && ok
	case *caddyhttp.MatchNot:
		return notReaches(m, r)
	case *caddyhttp.MatchExpression:
		if !strings.Contains(m.Expr, "path") && !strings.Contains(m.Expr, "method") {
			return true
		}
		ok, err := m.MatchWithError(r)
		return err != nil || ok
	case caddy.Module:
		return m.CaddyModule().ID != "http.matchers.file"
	default:
		return true
	}
}

// notReaches: a negated set keeps a request away if all of its matchers are
// about the path and let it through.
func notReaches(m *caddyhttp.MatchNot, r *http.Request) bool {
	for _, set := range m.MatcherSets {
		all := len(set) > 0
		for _, inner := range set {
			switch inner.(type) {
			case *caddyhttp.MatchPath, *caddyhttp.MatchPathRE, *caddyhttp.MatchMethod, *caddyhttp.MatchQuery:
				all = all && reaches(inner, r)
			default:
				all = false
			}
		}
		if all {
			return false
		}
	}
	return true
}

// anyName is one of the names of a guard's site, or "".
func (s spot) anyName() string {
	if names, err := s.names(); err == nil && len(names) > 0 {
		return names[0]
	}
	return ""
}

// probeRequest is a request that matchers judge and nobody sends. A wildcard in
// its host becomes a label that nobody gives a site of its own.
func probeRequest(method, path, host string) *http.Request {
	r := httptest.NewRequestWithContext(context.Background(), method, "http://gatehouse.invalid"+path, nil)
	if host != "" {
		r.Host = strings.ReplaceAll(host, "*", "gatehouse-probe")
	}
	ctx := context.WithValue(r.Context(), caddy.ReplacerCtxKey, caddy.NewReplacer())
	ctx = context.WithValue(ctx, caddyhttp.VarsCtxKey, make(map[string]any))
	ctx = context.WithValue(ctx, caddyhttp.OriginalRequestCtxKey, *r)
	return r.WithContext(ctx)
}
