package caddymodule

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// checkCarried refuses headers of several lines: of those most proxies take one.
func (s *headerSet) checkCarried() error {
	if s.lists.as == groupsRepeated {
		return errors.New("headers: groups … as repeated does not work with forward auth: most proxies take only one of several lines; write as json, or as separated")
	}
	return nil
}

// checkReach refuses a place that some questions do not reach. Where Caddy finds no
// route it answers 200, which to the proxy is yes.
func (f *ForwardAuth) checkReach(around []caddyhttp.MatcherSet) error {
	chosen := slices.ContainsFunc(around, func(set caddyhttp.MatcherSet) bool {
		return slices.ContainsFunc(set, func(matcher any) bool {
			_, ours := matcher.(*front) // which matches everything
			return !ours
		})
	})
	if !chosen {
		return nil
	}
	return fmt.Errorf("gatehouse_forward_auth must handle every request to its address, or the proxy takes Caddy's empty answer for yes; "+
		"give the site no host name and no matcher around it: http://:9091 { gatehouse_forward_auth { hosts %s … } }", strings.Join(f.Hosts, " "))
}

// placeForwardAuth tells the guard the names of its sites, and returns their origins:
// browsers reach them at the proxy, whatever the listener is.
func (a *App) placeForwardAuth(f *ForwardAuth, listeners []listener) []site {
	f.addNames(f.Hosts)
	trusted := false
	for _, l := range listeners {
		trusted = trusted || l.trusts || l.scheme == "https"
	}
	if !trusted {
		a.warn("forward auth answers trusted proxies only, and none is trusted; name the proxy: "+howToTrust, strings.Join(f.Hosts, ", "))
	}
	front := listener{scheme: "http", ports: []string{""}, trusts: true}
	var sites []site
	for _, name := range f.Hosts {
		at := a.sitesAt(front, name)
		f.addPorts(at, front)
		sites = append(sites, at...)
	}
	return sites
}
