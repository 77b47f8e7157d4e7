package caddymodule

import (
	"fmt"
	"reflect"
	"slices"
)

// settleHeaders gives all guards of a site the same headers: the first guard that a
// request meets removes and sets them, whichever it is. It is called when the guards
// know their names.
func (a *App) settleHeaders() error {
	a.guardsMu.Lock()
	defer a.guardsMu.Unlock()
	for _, g := range a.guards {
		for _, other := range a.guards {
			name, same := g.sharesName(other)
			switch {
			case !same || other.Headers == nil:
			case g.Headers == nil:
				g.Headers, g.headers = other.Headers, other.headers
			case !reflect.DeepEqual(g.Headers, other.Headers):
				return fmt.Errorf("the guards of %s say different headers; say them in one of the guards, or in the global block", name)
			}
		}
		if g.bearer != nil && g.headers.basic != "" {
			return errTwoAuthorizations
		}
		if err := g.AppCredentials.checkWith(g.headers); err != nil {
			return err
		}
	}
	return nil
}

// sharesName reports whether two guards stand at one site, and names it.
func (g *Guard) sharesName(other *Guard) (string, bool) {
	for name := range g.exact {
		if other.knows(name) {
			return name, true
		}
	}
	for name := range other.exact {
		if g.knows(name) {
			return name, true
		}
	}
	for _, pattern := range g.patterns {
		if slices.Contains(other.patterns, pattern) {
			return pattern, true
		}
	}
	return "", false
}
