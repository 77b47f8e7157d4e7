package web

import (
	"net/url"
	"path"
	"strings"
	"unicode/utf8"
)

// MaxReturnTo is the longest address that a sign-in returns to, in bytes as a flow
// holds it: 8 KiB, which is as long as a request line commonly may be.
const MaxReturnTo = 8 << 10

// SafeReturnTo is where to go after a sign-in: the address itself when it is a
// path of this very site, else "/". An address that a browser could read as
// another site's is not ours (proxies that let one through: CVE-2021-21291,
// GHSA-8hp3-rmr7-xh88).
func SafeReturnTo(s string) string {
	if len(s) > MaxReturnTo || !strings.HasPrefix(s, "/") || strings.HasPrefix(s, "//") {
		return "/"
	}
	inPath := true
	for i := 0; i < len(s); i++ {
		// Browsers skip tabs and newlines, and in a path take a backslash for a slash.
		c := s[i]
		if c == '?' {
			inPath = false
		}
		if c <= ' ' || c == 0x7f || c == '#' || c == '\\' && inPath {
			return "/"
		}
	}
	if s = escaped(s); len(s)+strings.Count(s, `"`)+strings.Count(s, `\`) > MaxReturnTo {
		return "/" // the two take two bytes each where they are stored
	}
	u, err := url.ParseRequestURI(s)
	if err != nil || u.Host != "" || u.Scheme != "" {
		return "/"
	}
	// Back to our own endpoints would sign out again or loop. Browsers resolve dot
	// segments before they ask.
	if IsOwnPath(u.Path) || IsOwnPath(path.Clean(u.Path)) {
		return "/"
	}
	return s
}

// escaped is an address whose bytes beyond ASCII are escaped, as a browser does before
// it sends them: what a header may hold besides is read differently (RFC 9110, section
// 5.5).
func escaped(s string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= utf8.RuneSelf {
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// RefererPath is the path and query of a Referer of the same origin, or "/".
func RefererPath(referer, origin string) string {
	u, err := url.Parse(referer)
	if err != nil || u.Host == "" || u.User != nil {
		return "/"
	}
	if u.Scheme+"://"+CanonicalHost(u.Scheme, u.Host) != origin {
		return "/"
	}
	if isScript(u.Path) {
		return "/" // a worker made the call; nobody can be sent to its source
	}
	return SafeReturnTo(u.RequestURI())
}

// isScript reports whether a path is that of a script, or what a script loads, and of
// no document.
func isScript(p string) bool {
	switch strings.ToLower(path.Ext(p)) {
	case ".js", ".mjs", ".cjs", ".wasm", ".css", ".map":
		return true
	}
	return false
}

// IsOwnPath reports whether a path is reserved on every guarded site.
func IsOwnPath(path string) bool {
	if len(path) < 2 || path[1] != '.' {
		return false // the hot path
	}
	return path == "/.gatehouse" || strings.HasPrefix(path, Prefix) ||
		path == ResourceMetadataPath || strings.HasPrefix(path, ResourceMetadataPath+"/")
}

// LoginPath is the sign-in address within the site; redirects within a site are
// relative.
func LoginPath(returnTo string) string {
	if returnTo == "/" {
		return Prefix + "login"
	}
	return Prefix + "login?return_to=" + url.QueryEscape(returnTo)
}

// PickedLoginPath is [LoginPath] by way of the provider that a guard picks, if it does.
func PickedLoginPath(returnTo, pick string) string {
	if pick == "" {
		return LoginPath(returnTo)
	}
	query := url.Values{"pick": {pick}}
	if returnTo != "/" {
		query.Set("return_to", returnTo)
	}
	return Prefix + "login?" + query.Encode()
}

// ProviderLoginPath is LoginPath by way of a certain provider, for a token with these
// scopes beside the configured ones.
func ProviderLoginPath(returnTo, name, scope string) string {
	query := url.Values{"provider": {name}}
	if scope != "" {
		query.Set("scope", scope)
	}
	if returnTo != "/" {
		query.Set("return_to", returnTo)
	}
	return Prefix + "login?" + query.Encode()
}

// StepUpPath is LoginPath for somebody who is signed in and is to prove more.
func StepUpPath(returnTo, step string) string {
	query := url.Values{"step": {step}}
	if returnTo != "/" {
		query.Set("return_to", returnTo)
	}
	return Prefix + "login?" + query.Encode()
}

// LinkPath is the page on which a person links a provider, below a place's path.
func LinkPath(at Issuer, name, scope, returnTo string) string {
	query := url.Values{"provider": {name}}
	if scope != "" {
		query.Set("scope", scope)
	}
	if returnTo != "" {
		query.Set("return_to", returnTo)
	}
	return at.Path + "link?" + query.Encode()
}
