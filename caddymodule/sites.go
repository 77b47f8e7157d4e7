package caddymodule

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// site is a place where a guard stands: a host name on a listener.
type site struct {
	scheme string
	name   string // exact, or with a wildcard label
	ports  []string
}

// origins are the sites' origins, with the ports that differ from the scheme's.
func origins(sites []site) []string {
	var all []string
	for _, s := range sites {
		for _, port := range s.ports {
			origin := s.scheme + "://" + bracketed(s.name)
			if port != "" {
				origin += ":" + port
			}
			if !slices.Contains(all, origin) {
				all = append(all, origin)
			}
		}
	}
	slices.Sort(all)
	return all
}

func bracketed(name string) string {
	if strings.Contains(name, ":") {
		return "[" + name + "]"
	}
	return name
}

// placeGuards finds every guard in the provisioned HTTP routes, tells it the
// names of its site, and refuses places where it could not do its work.
func (a *App) placeGuards() ([]site, error) {
	var servers map[string]*caddyhttp.Server
	var ports standardPorts
	if value, err := a.ctx.AppIfConfigured("http"); err == nil {
		app := value.(*caddyhttp.App)
		servers = app.Servers
		ports = standardPorts{http: app.HTTPPort, https: app.HTTPSPort}
	} else if !errors.Is(err, caddy.ErrNotConfigured) {
		return nil, err
	}
	ports.http = cmp.Or(ports.http, caddyhttp.DefaultHTTPPort)
	ports.https = cmp.Or(ports.https, caddyhttp.DefaultHTTPSPort)
	var sites []site
	placed := make(map[*Guard]bool)
	var portals [][]caddyhttp.MatcherSet
	var made sight
	a.faults, a.warnings, a.portalByTLS = nil, nil, false
	for _, name := range sortedKeys(servers) {
		server := servers[name]
		w := routeWalk{server: server}
		if err := w.routes(server.Routes, nil); err != nil {
			return nil, err
		}
		if err := w.errors(server.Errors, nil); err != nil {
			return nil, err
		}
		if err := w.checkShadows(); err != nil {
			return nil, err
		}
		portals = append(portals, w.portals...)
		made.add(w.made)
		listeners := listenersOf(server, ports)
		for _, spot := range w.found {
			names, err := spot.names()
			if err != nil {
				return nil, err
			}
			placed[spot.guard] = true
			spot.guard.addNames(names)
			for _, l := range listeners {
				for _, n := range names {
					at := a.sitesAt(l, n)
					sites = append(sites, at...)
					spot.guard.addPorts(at, l)
				}
			}
		}
		for _, f := range w.asked {
			placed[&f.Guard] = true
			sites = append(sites, a.placeForwardAuth(f, listeners)...)
		}
		a.warnPlainHTTP(listeners, w.found)
		a.checkPortal(listeners, w.portals)
	}
	for _, g := range a.guards {
		g.made = made
		if placed[g] {
			continue
		}
		if len(g.Hosts) == 0 {
			return nil, errors.New("a gatehouse guard stands where its site cannot be told; list the site's names in it: hosts app.example.com")
		}
		g.addNames(g.Hosts)
		for _, name := range g.Hosts {
			g.standsAt = append(g.standsAt, site{scheme: "https", name: name, ports: []string{""}}, site{scheme: "http", name: name, ports: []string{""}})
		}
	}
	if err := a.settleHeaders(); err != nil {
		return nil, err
	}
	a.settleCORS()
	if err := a.settleSites(); err != nil {
		return nil, err
	}
	a.warnCapitals()
	a.findPortal(portals)
	a.learnNames()
	a.logFaults()
	return sites, a.checkOpenProviders()
}

// findPortal looks whether a portal answers under the issuer's own name. One that
// stands at another site answers nobody.
func (a *App) findPortal(portals [][]caddyhttp.MatcherSet) {
	issuer, err := url.Parse(a.issuer)
	if err != nil || len(portals) == 0 {
		return
	}
	a.guardsMu.Lock()
	defer a.guardsMu.Unlock()
	a.hasPortal = slices.ContainsFunc(portals, func(around []caddyhttp.MatcherSet) bool {
		return servesHost(around, issuer.Hostname())
	})
}

// checkOpenProviders refuses to start when anybody in the world could enter and
// nobody has said that they may.
func (a *App) checkOpenProviders() error {
	for _, p := range a.Providers {
		if p.open && a.callers[p.Name] == nil && a.letsAllIn(p) {
			return openProviderError(p.Name)
		}
	}
	return nil
}

// letsAllIn reports whether somebody enters somewhere whom a provider alone vouches for.
func (a *App) letsAllIn(p *ProviderConfig) bool {
	if len(a.guards) == 0 {
		return !p.onlyTokens
	}
	return slices.ContainsFunc(a.guards, func(g *Guard) bool {
		return !g.hasRules() && (!p.onlyTokens || slices.Contains(g.AcceptTokens, p.Name))
	})
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// noHost is the error about a site without a name.
func noHost(where string) error {
	return fmt.Errorf("%s has no host name, so its own address cannot be told; give the site a name instead of a port alone, or list its names in the guard: hosts app.example.com", where)
}
