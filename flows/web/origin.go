package web

import (
	"fmt"
	"net/url"
	"strings"
)

// OriginPattern is an origin whose host may begin with "*." for exactly one
// label.
type OriginPattern struct {
	scheme string
	host   string // without "*.", lower case, with its port
	wild   bool
}

// ParseOriginPattern parses https://app.example.com or https://*.example.com.
func ParseOriginPattern(s string) (OriginPattern, error) {
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" ||
		u.User != nil || u.RawQuery != "" || u.Fragment != "" || (u.Path != "" && u.Path != "/") {
		return OriginPattern{}, fmt.Errorf("site %q is not an origin such as https://app.example.com", s)
	}
	host := CanonicalHost(u.Scheme, u.Host)
	p := OriginPattern{scheme: u.Scheme, host: host}
	if rest, ok := strings.CutPrefix(host, "*."); ok {
		p.host, p.wild = rest, true
	}
	if strings.Contains(p.host, "*") {
		return OriginPattern{}, fmt.Errorf("site %q: only the first label may be *", s)
	}
	return p, nil
}

// Matches reports whether an origin is one of the pattern's. None is whose host ends in
// a dot: guards do not answer to it.
func (p OriginPattern) Matches(scheme, host string) bool {
	if scheme != p.scheme || strings.HasSuffix(HostName(host), ".") {
		return false
	}
	host = CanonicalHost(scheme, host)
	if !p.wild {
		return host == p.host
	}
	label, rest, ok := strings.Cut(host, ".")
	return ok && label != "" && rest == p.host
}

// HasName reports whether a host name, without a port, is one of the pattern's.
func (p OriginPattern) HasName(name string) bool {
	if !p.wild {
		return HostName(p.host) == name
	}
	label, rest, ok := strings.Cut(name, ".")
	return ok && label != "" && rest == HostName(p.host)
}

// CanonicalHost is host[:port] in lower case and without the scheme's own port.
func CanonicalHost(scheme, host string) string {
	host = strings.ToLower(host)
	switch scheme {
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	}
	return host
}

// HostName is a host without its port.
func HostName(host string) string {
	if strings.HasPrefix(host, "[") {
		if end := strings.IndexByte(host, ']'); end > 0 {
			return host[:end+1]
		}
		return host
	}
	if before, _, ok := strings.Cut(host, ":"); ok {
		return before
	}
	return host
}

// ClientOf is the client id of a guarded site: its host name in lower case.
// Cookies know no ports, and so neither do sessions.
func ClientOf(host string) string {
	name := HostName(host)
	for i := 0; i < len(name); i++ {
		if c := name[i]; 'A' <= c && c <= 'Z' {
			return strings.ToLower(name)
		}
	}
	return name
}
