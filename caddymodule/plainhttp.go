package caddymodule

import (
	"fmt"
	"net/url"
	"slices"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// howToTrust is the cure where TLS ends at a proxy that is not trusted.
const howToTrust = "{ servers { trusted_proxies static ADDRESS } }"

func (a *App) issuerURL() *url.URL {
	issuer, err := url.Parse(a.issuer)
	if err != nil || a.issuer == "" {
		return nil
	}
	return issuer
}

// warnPlainHTTP warns of sites whose cookies travel readable. Behind a trusted
// proxy the way to the browser is the proxy's business, and names of this
// machine never leave it. A name of another kind on a listener that only this
// machine can reach has a proxy in front, which must be trusted.
func (a *App) warnPlainHTTP(listeners []listener, found []spot) {
	for _, l := range listeners {
		if l.trusts || l.scheme != "http" && !l.socket {
			continue
		}
		for _, s := range found {
			names, _ := s.names()
			for _, n := range names {
				switch {
				case isLocalName(n):
				case l.socket:
					a.warn("guarded site listens on a socket, so a proxy must be in front of it, but sockets are not trusted: its sign-ins count as plain http; "+
						"set { servers { trusted_proxies_unix } }", n)
				case l.loopback:
					a.warn("guarded site listens on loopback only, so a proxy must be in front of it, but none is trusted: its sign-ins count as plain http; "+
						"name the proxy: { servers { trusted_proxies static 127.0.0.1 ::1 } }", n)
				default:
					a.warn("guarded site is served over plain http: anybody on the way can read its cookies; "+
						"serve it over https, bind it to loopback, or set trusted_proxies if a proxy in front ends TLS", n)
				}
			}
		}
	}
}

// warn logs, and has the doctor say, what is probably wrong with a site.
func (a *App) warn(message, name string) {
	a.logger.Warn(message, "site", name)
	if text := name + ": " + message; !slices.Contains(a.warnings, text) {
		a.warnings = append(a.warnings, text)
	}
}

// checkPortal notes how the portal of this configuration is reached, if it is by
// a server with these listeners.
func (a *App) checkPortal(listeners []listener, portals [][]caddyhttp.MatcherSet) {
	issuer := a.issuerURL()
	if issuer == nil || issuer.Scheme != "https" {
		return
	}
	here := slices.ContainsFunc(portals, func(around []caddyhttp.MatcherSet) bool { return servesHost(around, issuer.Hostname()) })
	if !here {
		return
	}
	if !slices.ContainsFunc(listeners, func(l listener) bool { return l.trusts || l.scheme == "https" && !l.socket }) {
		a.faults = append(a.faults, fmt.Sprintf("the portal of %s is served over plain http and trusts no proxy, so nobody can sign in; name the proxy that ends TLS: %s", a.issuer, howToTrust))
		return
	}
	a.portalByTLS = true
}

// logFaults logs what keeps people from signing in. A portal may be served by
// several servers, of which one that browsers can use is enough.
func (a *App) logFaults() {
	if a.portalByTLS {
		a.faults = nil
	}
	for _, fault := range a.faults {
		a.logger.Error(fault)
	}
}
