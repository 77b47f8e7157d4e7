package main

import (
	"net"
	"net/url"
	"strings"
)

// parseSite reads the address of a protected site as people type it; without a
// scheme it is https.
func parseSite(raw string) (*url.URL, error) {
	if !strings.Contains(raw, "://") {
		raw = "https://" + raw
	}
	u, err := parseAddress(raw)
	if err != nil {
		return nil, &failure{code: exitUsage, err: err, fix: "An address looks like https://app.example.com."}
	}
	return u, nil
}

// parseAddress reads an absolute address that tokens may travel to: https, or
// http on this very machine.
func parseAddress(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "" || u.Opaque != "":
		return nil, fail(exitFailed, "", "%q is not an address", raw)
	case u.User != nil:
		return nil, fail(exitFailed, "", "the address of %s holds a user name or password", u.Host)
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return nil, fail(exitFailed, "", "http://%s is not encrypted; only https is used, or http on this machine", u.Host)
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, fail(exitFailed, "", "%q is not an https address", raw)
	}
	return u, nil
}

// parseNamed reads an address that a server named. What came by https does not
// lead to http, not even on this machine: a site elsewhere has no business with
// what listens here.
func parseNamed(raw string, by *url.URL) (*url.URL, error) {
	u, err := parseAddress(raw)
	if err != nil {
		return nil, err
	}
	if u.Scheme == "http" && (by.Scheme != "http" || !isLoopback(by.Hostname())) {
		return nil, fail(exitFailed, "", "%s leads to %s, which is not encrypted", origin(by), origin(u))
	}
	return u, nil
}

// isLoopback reports whether a host name is this machine's; RFC 6761, section
// 6.3, reserves localhost and all names below it.
func isLoopback(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// origin of an address in the form that resources have: lower case, without
// the scheme's own port.
func origin(u *url.URL) string {
	host := strings.ToLower(u.Host)
	switch u.Scheme {
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	}
	return u.Scheme + "://" + host
}

// wellKnown is where metadata of an address with a path is found: between host
// and path (RFC 8414, section 3; RFC 9728, section 3).
func wellKnown(u *url.URL, name string) string {
	return u.Scheme + "://" + u.Host + "/.well-known/" + name + strings.TrimSuffix(u.EscapedPath(), "/")
}

// covers reports whether a resource is the address's origin, or a path above the
// address at that origin.
func covers(resource, address *url.URL) bool {
	if origin(resource) != origin(address) || resource.RawQuery != "" || resource.Fragment != "" {
		return false
	}
	above := strings.TrimSuffix(resource.EscapedPath(), "/")
	path := address.EscapedPath()
	return above == "" || path == above || strings.HasPrefix(path, above+"/")
}
