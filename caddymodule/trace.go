package caddymodule

import (
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/fileserver"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/rewrite"
)

// fate is what becomes of a request.
type fate int

const (
	passed  fate = iota // it goes on, or may
	guarded             // a guard sees it, or may
	taken               // something else answers it, for certain
)

// certainty of a match.
type certainty int

const (
	no certainty = iota
	maybe
	yes
)

// trace follows a request through provisioned routes without making it. What
// cannot be told of it (headers, addresses, files) may match or not: only what
// is certain is held against a configuration.
type trace struct {
	server  *caddyhttp.Server
	request *http.Request
	target  *Guard // the guard that is looked for, or nil for any
	anyPath bool   // path and method are not known, or not any more

	groups     map[string]certainty // that one route of each was taken
	invoked    []string             // named routes on the way, against loops
	taker      string               // what took the request
	redirected bool                 // it was sent elsewhere
}

func (t *trace) routes(routes caddyhttp.RouteList) fate {
	for i := range routes {
		if f := t.route(&routes[i]); f != passed {
			return f
		}
	}
	return passed
}

func (t *trace) route(route *caddyhttp.Route) fate {
	match := t.matchesAny(route.MatcherSets)
	if route.Group != "" {
		if t.groups == nil {
			t.groups = make(map[string]certainty)
		}
		// Of a group only the first route that matches is taken.
		match = min(match, yes-t.groups[route.Group])
		t.groups[route.Group] = max(t.groups[route.Group], match)
	}
	if match == no {
		return passed
	}
	f := t.handlers(route.Handlers)
	if f == passed && route.Terminal {
		f, t.taker = taken, "a terminal route"
	}
	switch {
	case f == taken && match == maybe:
		t.taker = ""
		return passed
	case f == taken && len(route.MatcherSets) == 1 && t.describes(withoutFront(route.MatcherSets[0])):
		t.taker = describe(withoutFront(route.MatcherSets[0])[0])
	}
	return f
}

// describes reports whether a matcher set says more than what was found inside.
func (t *trace) describes(set caddyhttp.MatcherSet) bool {
	if len(set) != 1 || strings.HasPrefix(t.taker, "a route") {
		return false
	}
	_, host := set[0].(*caddyhttp.MatchHost)
	return !host
}

func (t *trace) handlers(handlers []caddyhttp.MiddlewareHandler) fate {
	for _, h := range handlers {
		if f := t.handler(h); f != passed {
			return f
		}
	}
	return passed
}

func (t *trace) handler(handler caddyhttp.MiddlewareHandler) fate {
	switch h := handler.(type) {
	case *Guard:
		if t.target == nil || t.target == h {
			return guarded
		}
		return passed
	case *caddyhttp.Subroute:
		return t.routes(h.Routes)
	case *caddyhttp.Invoke:
		named, ok := t.server.NamedRoutes[h.Name]
		if !ok || slices.Contains(t.invoked, h.Name) {
			return passed
		}
		t.invoked = append(t.invoked, h.Name)
		defer func() { t.invoked = t.invoked[:len(t.invoked)-1] }()
		return t.route(named)
	case *rewrite.Rewrite:
		t.anyPath = true
		return passed
	}
	if !t.ends(handler) {
		return passed
	}
	t.taker = "the handler " + handler.(caddy.Module).CaddyModule().ID.Name()
	return taken
}

// ends reports whether a handler answers and never passes on.
func (t *trace) ends(handler caddyhttp.MiddlewareHandler) bool {
	t.redirected = false
	switch h := handler.(type) {
	case *caddyhttp.StaticResponse:
		status := string(h.StatusCode)
		t.redirected = len(h.Headers["Location"]) > 0
		return status != "103" && !strings.Contains(status, "{")
	case *caddyhttp.StaticError:
		return true
	case *reverseproxy.Handler:
		return len(h.HandleResponse) == 0
	case *fileserver.FileServer:
		return !h.PassThru
	}
	return false
}

func (t *trace) matchesAny(sets caddyhttp.MatcherSets) certainty {
	if len(sets) == 0 {
		return yes
	}
	best := no
	for _, set := range sets {
		best = max(best, t.matchesAll(set))
	}
	return best
}

func (t *trace) matchesAll(set caddyhttp.MatcherSet) certainty {
	worst := yes
	for _, matcher := range set {
		worst = min(worst, t.matches(matcher))
	}
	return worst
}

func (t *trace) matches(matcher any) certainty {
	switch m := matcher.(type) {
	case *front:
		return yes
	case *caddyhttp.MatchHost:
		return t.ask(m, *m)
	case *caddyhttp.MatchPath:
		if slices.Contains(*m, "/*") || slices.Contains(*m, "*") {
			return yes
		}
		if !t.anyPath {
			return t.ask(m, *m)
		}
	case *caddyhttp.MatchPathRE:
		if !t.anyPath {
			return t.ask(m, []string{m.Pattern})
		}
	case *caddyhttp.MatchMethod:
		if !t.anyPath {
			return t.ask(m, nil)
		}
	case *caddyhttp.MatchNot:
		inner := no
		for _, set := range m.MatcherSets {
			inner = max(inner, t.matchesAll(set))
		}
		return yes - inner
	}
	return maybe
}

// ask makes a matcher judge the request, unless its patterns hold placeholders,
// whose values are not known yet. Braces are quantifiers in regular expressions;
// those count as unknown too.
func (t *trace) ask(matcher caddyhttp.RequestMatcherWithError, patterns []string) certainty {
	for _, p := range patterns {
		if strings.Contains(p, "{") {
			return maybe
		}
	}
	switch match, err := matcher.MatchWithError(t.request); {
	case err != nil:
		return maybe
	case match:
		return yes
	default:
		return no
	}
}
