package resource

import (
	"errors"
	"net/url"
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/reading"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// ErrIdentifier: a text names no resource of a guarded site.
var ErrIdentifier = errors.New("not the URL of a resource of a site")

// Identifier names a resource in its canonical spelling: scheme and host in lower case,
// without the scheme's own port (RFC 3986, section 6.2.3) and without a slash at the end.
type Identifier struct {
	Origin string
	// Path is "" for the origin itself.
	Path string
}

// ParseIdentifier reads the URL of a resource, in any spelling of it. What has a query,
// a fragment, a user, an encoded host, or a path that servers read in different ways is [ErrIdentifier].
func ParseIdentifier(s string) (Identifier, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil:
		return Identifier{}, ErrIdentifier
	case strings.Trim(u.Host, hostBytes) != "":
		return Identifier{}, ErrIdentifier
	case strings.ContainsAny(s, "?#"):
		return Identifier{}, ErrIdentifier
	case u.Path != "" && (!reading.IsPlainPath(u.Path) || u.EscapedPath() != u.Path):
		return Identifier{}, ErrIdentifier
	}
	host := web.CanonicalHost(u.Scheme, strings.TrimSuffix(u.Host, ":"))
	return Identifier{Origin: u.Scheme + "://" + host, Path: strings.TrimSuffix(u.Path, "/")}, nil
}

// hostBytes are those of a name, an address and a port. Percent-encoded ones have no single
// spelling, and sites have none.
const hostBytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:[]"

// String is the canonical spelling.
func (i Identifier) String() string { return i.Origin + i.Path }

// below reports whether a path is another or lies below it.
func below(path, above string) bool {
	return strings.HasPrefix(path, above) && (len(path) == len(above) || above == "" || path[len(above)] == '/')
}

// CheckPath refuses what cannot be the path of a resource.
func CheckPath(path string) error {
	switch {
	case !strings.HasPrefix(path, "/"):
		return errors.New("a path begins with a slash, such as /mcp")
	case strings.Contains(path, "*"):
		return errors.New("a resource covers what is below its path: write it without *, such as /mcp")
	case strings.TrimSuffix(path, "/") == "":
		return errors.New("the site itself is a resource without being named; name a path, such as /mcp")
	case below(path, web.ResourceMetadataPath) || below(path, strings.TrimSuffix(web.Prefix, "/")):
		return errors.New("this path is Gatehouse's own")
	case !reading.IsPlainPath(path):
		return errors.New("servers read this path in different ways; use letters, digits, hyphens and single slashes")
	case len(path) > maxPath:
		return errors.New("the path is longer than 255 bytes")
	}
	return nil
}

// maxPath bounds a resource's path, in bytes: it travels in headers.
const maxPath = 255
