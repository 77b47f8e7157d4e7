package client

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// AllowsRedirect tells whether a redirect URI is one of the client's: the same
// byte for byte (RFC 9700, section 2.1), save the port of a loopback address,
// which a native app cannot know beforehand (RFC 8252, section 7.3).
func (c *Client) AllowsRedirect(uri string) bool {
	for _, registered := range c.RedirectURIs {
		if uri == registered || sameLoopback(registered, uri) {
			return true
		}
	}
	return false
}

// AllowsPostLogoutRedirect compares byte for byte.
func (c *Client) AllowsPostLogoutRedirect(uri string) bool {
	return slices.Contains(c.PostLogoutRedirectURIs, uri)
}

// sameLoopback compares two http URIs on a loopback address, but for the port.
func sameLoopback(registered, uri string) bool {
	regHead, regRest, ok := cutLoopback(registered)
	if !ok {
		return false
	}
	head, rest, ok := cutLoopback(uri)
	return ok && head == regHead && rest == regRest
}

// cutLoopback splits http://127.0.0.1:PORT/rest into what is before the port
// and what follows it. It works on the text, so that nothing is normalised.
func cutLoopback(uri string) (head, rest string, ok bool) {
	after, ok := strings.CutPrefix(uri, "http://")
	if !ok {
		return "", "", false
	}
	end := strings.IndexAny(after, "/?#")
	if end < 0 {
		end = len(after)
	}
	authority, rest := after[:end], after[end:]
	host := authority
	if i := strings.LastIndexByte(authority, ':'); i > strings.LastIndexByte(authority, ']') {
		port := authority[i+1:]
		host = authority[:i]
		if port == "" || len(port) > 5 || strings.Trim(port, "0123456789") != "" {
			return "", "", false
		}
	}
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
	if err != nil || !addr.IsLoopback() || strings.ContainsAny(rest, "#\\") {
		return "", "", false
	}
	return host, rest, true
}

// validateRedirectURI judges a URI as configured.
func validateRedirectURI(uri string, public bool) error {
	u, err := url.Parse(uri)
	switch {
	case err != nil || u.Scheme == "":
		return fmt.Errorf("redirect_uri %q is not an absolute URI", uri)
	case len(uri) > 2048:
		return fmt.Errorf("redirect_uri has more than 2048 bytes")
	case strings.ContainsAny(uri, "#*\\ "):
		return fmt.Errorf("redirect_uri %q must have no fragment, wildcard, backslash or space (RFC 6749, section 3.1.2)", uri)
	case u.User != nil:
		return fmt.Errorf("redirect_uri %q must have no user", uri)
	}
	switch u.Scheme {
	case "https", "http":
		if u.Host == "" {
			return fmt.Errorf("redirect_uri %q has no host", uri)
		}
		return nil
	case "javascript", "data", "vbscript", "file", "blob", "about":
		return fmt.Errorf("redirect_uri %q: the scheme runs or shows what it holds", uri)
	}
	if !public || !strings.Contains(u.Scheme, ".") {
		return fmt.Errorf("redirect_uri %q: a scheme of one's own is for public clients and has a dot, such as com.example.app (RFC 8252, section 7.1)", uri)
	}
	return nil
}
