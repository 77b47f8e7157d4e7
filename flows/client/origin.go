package client

import (
	"net/url"
	"strings"
)

// Origins are the web origins (RFC 6454) of the redirect URIs of some clients:
// where the pages of a client that runs in the browser come from. A page that
// may be sent a code may redeem it, so nothing else has to be configured.
//
// A loopback address is good with any port, as it is for redirects (RFC 8252,
// section 7.3): a development server has another one each day, and whatever
// runs there is a program of the person's own machine. So is the name localhost
// where a public client leaves the port open. Addresses with a scheme of an app's own
// have no origin.
// The zero value allows nothing. It is safe for concurrent use.
type Origins struct {
	exact    map[string]struct{}
	loopback map[string]struct{} // host as written, without its port
	any      bool
}

// AnyOrigin are those of all pages that come by https, or from the person's own machine:
// for endpoints of clients that nobody knows beforehand.
func AnyOrigin() Origins { return Origins{any: true} }

// NewOrigins collects the origins of clients.
func NewOrigins(clients map[string]*Client) Origins {
	o := Origins{exact: make(map[string]struct{}), loopback: make(map[string]struct{})}
	for _, c := range clients {
		for _, uri := range c.RedirectURIs {
			if c.Public && sameLocalhost(uri, uri) {
				o.loopback["localhost"] = struct{}{}
				continue
			}
			o.add(uri)
		}
	}
	return o
}

func (o Origins) add(uri string) {
	if host, _, ok := cutLoopback(uri); ok {
		o.loopback[host] = struct{}{}
		return
	}
	if origin := originOf(uri); origin != "" {
		o.exact[origin] = struct{}{}
	}
}

// Allow reports whether an Origin header, as a browser writes it, is one of them.
// The opaque origin "null" never is: every sandboxed frame has it.
func (o Origins) Allow(origin string) bool {
	if _, ok := o.exact[origin]; ok {
		return true
	}
	if o.any && strings.HasPrefix(origin, "https://") {
		return true
	}
	host, rest, ok := cutHost(origin)
	if !ok || rest != "" {
		return false
	}
	if _, _, loopback := cutLoopback(origin); o.any && (loopback || host == "localhost") {
		return true
	}
	_, ok = o.loopback[host]
	return ok
}

// originOf is the origin of a URI as browsers write it: the host in lower case,
// the scheme's own port left out (RFC 6454, section 6.2). "" is none.
func originOf(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || u.Hostname() == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return ""
	}
	host, port := strings.ToLower(u.Hostname()), u.Port()
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port == "" || (u.Scheme == "https" && port == "443") || (u.Scheme == "http" && port == "80") {
		return u.Scheme + "://" + host
	}
	return u.Scheme + "://" + host + ":" + port
}
