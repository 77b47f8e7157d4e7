package caddymodule

import (
	"maps"
	"slices"
)

// warnCapitals warns of sites where a guard's matcher compares paths by case.
func (a *App) warnCapitals() {
	for _, g := range a.guards {
		if !g.sight.capitals {
			continue
		}
		for _, name := range slices.Concat(slices.Sorted(maps.Keys(g.exact)), g.patterns) {
			a.warn("the guard's matcher is case-sensitive and its pattern has capital letters: it does not match the path in lower case, "+
				"which many servers treat as the same path; use the matcher \"path\", or begin the regular expression with (?i)", name)
		}
	}
}
