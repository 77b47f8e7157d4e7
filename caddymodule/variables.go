package caddymodule

import (
	"encoding/json"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// noteVariables adds to w.made what a handler looks at that makes variables of a
// request, with the matchers around it. A guard whose matcher looks at variables
// depends on how that was read.
func (w *routeWalk) noteVariables(handler caddyhttp.MiddlewareHandler, around []caddyhttp.MatcherSet) {
	module, ok := handler.(caddy.Module)
	if !ok {
		return
	}
	switch module.CaddyModule().ID {
	case "http.handlers.vars", "http.handlers.map":
	default:
		return
	}
	config, _ := json.Marshal(handler) // it was read from JSON
	w.made.findPlaceholders(config)
	for _, set := range around {
		set = withoutFront(set)
		sightsOf([]caddy.ModuleMap{rawOf(set)}, []caddyhttp.MatcherSet{set}, &w.made)
	}
}

// rawOf is the JSON that a provisioned set was loaded from; loading empties it.
func rawOf(set caddyhttp.MatcherSet) caddy.ModuleMap {
	raw := make(caddy.ModuleMap, len(set))
	for _, matcher := range set {
		module, ok := matcher.(caddy.Module)
		if !ok {
			continue
		}
		config := matcher
		if not, ok := matcher.(*caddyhttp.MatchNot); ok {
			inner := make([]caddy.ModuleMap, len(not.MatcherSets))
			for i, set := range not.MatcherSets {
				inner[i] = rawOf(set)
			}
			config = inner
		}
		if text, err := json.Marshal(config); err == nil {
			raw[module.CaddyModule().ID.Name()] = text
		}
	}
	return raw
}
