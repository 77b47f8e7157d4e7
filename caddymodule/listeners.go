package caddymodule

import (
	"net"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// listener is what a site is reached by.
type listener struct {
	scheme   string
	ports    []string // "" is the scheme's own
	loopback bool
	socket   bool // of this machine: whatever connects is a proxy
	trusts   bool // some proxy in front of it
}

// standardPorts are what the options http_port and https_port say: the ports
// that 80 and 443 are forwarded to. Browsers still use 80 and 443.
type standardPorts struct{ http, https int }

func listenersOf(server *caddyhttp.Server, ports standardPorts) []listener {
	var all []listener
	for _, text := range server.Listen {
		address, err := caddy.ParseNetworkAddress(text)
		if err != nil || address.IsUnixNetwork() || address.IsFdNetwork() {
			all = append(all, listener{scheme: "https", ports: []string{""}, loopback: true, socket: true, trusts: server.TrustedProxiesUnix})
			continue
		}
		for offset := range address.PortRangeSize() {
			port := int(address.StartPort + offset) //nolint:gosec // a port
			l := listener{scheme: "http", loopback: isLoopback(address.Host), trusts: trustsProxies(server)}
			if len(server.TLSConnPolicies) > 0 && port != ports.http {
				l.scheme = "https"
			}
			l.ports = append(l.ports, portSuffix(l.scheme, port))
			if l.scheme == "https" && port == ports.https || l.scheme == "http" && port == ports.http {
				l.ports = append(l.ports, "")
			}
			all = append(all, l)
		}
	}
	return all
}

func portSuffix(scheme string, port int) string {
	if (scheme == "https" && port == 443) || (scheme == "http" && port == 80) {
		return ""
	}
	return strconv.Itoa(port)
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// isLocalName reports whether a site's name never leaves this machine.
func isLocalName(name string) bool { return isLoopback(name) || strings.HasSuffix(name, ".localhost") }

// trustsProxies reports whether a server trusts some proxy in front of it. Caddy
// offers no way to ask a provisioned server, so the field is looked at.
func trustsProxies(server *caddyhttp.Server) bool {
	source := reflect.ValueOf(server).Elem().FieldByName("trustedProxies")
	return source.IsValid() && source.Kind() == reflect.Interface && !source.IsNil()
}

// sitesAt are the origins by which browsers know a site on a listener. Behind a
// trusted proxy that is not what the listener looks like: the proxy ends TLS, on
// the scheme's own port or on that of the issuer. A site whose portal is https is
// nothing else, for a code that is handed over by plain http is everybody's on the
// way; names of this machine, which never leave it, are both.
func (a *App) sitesAt(l listener, name string) []site {
	own := site{scheme: l.scheme, name: name, ports: l.ports}
	if !l.socket && (l.scheme == "https" || !l.trusts) {
		return []site{own}
	}
	front := site{scheme: "https", name: name, ports: []string{""}}
	issuer := a.issuerURL()
	if issuer != nil && issuer.Scheme == "https" && issuer.Port() != "" && issuer.Port() != "443" {
		front.ports = append(front.ports, issuer.Port())
	}
	if l.socket || !isLocalName(name) && (issuer == nil || issuer.Scheme == "https") {
		return []site{front}
	}
	return []site{front, own}
}

// addPorts tells the guard what ports its site has, as its own documents may say in
// public: see [flows.Request.KnownPort].
func (g *Guard) addPorts(sites []site, l listener) {
	g.standsAt = append(g.standsAt, sites...)
	for _, s := range append(slices.Clone(sites), site{scheme: l.scheme, ports: l.ports}) {
		for _, port := range s.ports {
			g.ports = append(g.ports, s.scheme+":"+port)
		}
	}
	slices.Sort(g.ports)
	g.ports = slices.Compact(g.ports)
}

// hasPort reports whether the site has the port of a Host header that it knows.
func (g *Guard) hasPort(scheme, host string) bool {
	port := ""
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		port = host[i+1:]
	}
	if scheme == "https" && port == "443" || scheme == "http" && port == "80" {
		port = ""
	}
	return slices.Contains(g.ports, scheme+":"+port)
}
