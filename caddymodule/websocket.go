package caddymodule

import "strings"

// isOwnHost reports whether the host of an origin is the one that was asked, or
// another name that the same site was given.
func (g *Guard) isOwnHost(origin, asked string) bool {
	name := strings.ToLower(hostName(origin))
	if _, ok := g.exact[name]; ok {
		return true
	}
	return name != "" && strings.EqualFold(name, hostName(asked))
}
