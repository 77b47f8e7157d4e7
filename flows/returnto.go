package flows

import (
	"net/url"
	"path"
	"strings"
)

// maxReturnTo is the longest address that a sign-in returns to; a flow must
// stay small.
const maxReturnTo = 1200

// safeReturnTo is where to go after a sign-in: the address itself when it is a
// path of this very site, else "/". An address that a browser could read as
// another site's is none of ours (proxies that let one through: CVE-2021-21291,
// GHSA-8hp3-rmr7-xh88).
func safeReturnTo(s string) string {
	if len(s) > maxReturnTo || !strings.HasPrefix(s, "/") || strings.HasPrefix(s, "//") {
		return "/"
	}
	for i := 0; i < len(s); i++ {
		// Browsers take a backslash for a slash and skip tabs and newlines.
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '\\' || c == '#' {
			return "/"
		}
	}
	u, err := url.ParseRequestURI(s)
	if err != nil || u.Host != "" || u.Scheme != "" {
		return "/"
	}
	// Back to our own endpoints would sign out again or loop. Browsers resolve dot
	// segments before they ask.
	if isOwnPath(u.Path) || isOwnPath(path.Clean(u.Path)) {
		return "/"
	}
	return s
}

// refererPath is the path and query of a Referer of the same origin, or "/".
func refererPath(referer, origin string) string {
	u, err := url.Parse(referer)
	if err != nil || u.Host == "" || u.User != nil {
		return "/"
	}
	if u.Scheme+"://"+canonicalHost(u.Scheme, u.Host) != origin {
		return "/"
	}
	return safeReturnTo(u.RequestURI())
}

// isOwnPath tells whether a path is reserved on every guarded site.
func isOwnPath(path string) bool {
	if len(path) < 2 || path[1] != '.' {
		return false // the hot path
	}
	return path == "/.gatehouse" || strings.HasPrefix(path, Prefix) ||
		path == resourceMetadataPath || strings.HasPrefix(path, resourceMetadataPath+"/")
}
