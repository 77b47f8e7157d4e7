package client

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// AllowsRedirect reports whether a redirect URI is one of the client's: the same
// byte for byte (RFC 9700, section 2.1), save the port of a loopback address,
// which a native app cannot know beforehand (RFC 8252, section 7.3). For a public
// client localhost without a port is such an address too.
func (c *Client) AllowsRedirect(uri string) bool { return c.allows(c.RedirectURIs, uri) }

// AllowsPostLogoutRedirect compares as AllowsRedirect does.
func (c *Client) AllowsPostLogoutRedirect(uri string) bool {
	return c.allows(c.PostLogoutRedirectURIs, uri)
}

func (c *Client) allows(registered []string, uri string) bool {
	return slices.ContainsFunc(registered, func(one string) bool {
		return uri == one || sameLoopback(one, uri) || c.Public && sameLocalhost(one, uri)
	})
}

// IsAssured reports whether whoever receives an answer at a redirect URI is the client
// for certain: other apps of the person's device can claim a scheme of an app's own,
// and listen on a loopback address, where only a secret tells them apart (RFC 8252,
// section 8.6).
func (c *Client) IsAssured(redirectURI string) bool {
	return isWeb(redirectURI) && (!c.Public || !ownDevice(redirectURI))
}

// ownDevice reports whether a URI leads to the person's own device, by whatever scheme
// and port, as browsers read it.
func ownDevice(uri string) bool {
	u, err := url.Parse(uri)
	if err != nil {
		return true
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || err == nil && (addr.IsLoopback() || addr.IsUnspecified())
}

// isWeb reports whether a URI is one of http or https, in which a form can be posted.
func isWeb(uri string) bool {
	return strings.HasPrefix(uri, "https://") || strings.HasPrefix(uri, "http://")
}

// sameLocalhost compares two http URIs on localhost, but for the port that the second
// has and the registered one leaves open.
func sameLocalhost(registered, uri string) bool {
	path, ok := strings.CutPrefix(registered, "http://localhost/")
	if !ok {
		return false
	}
	_, rest, ok := cutLocalhost(uri)
	return ok && rest == "/"+path
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
	host, rest, ok := cutHost(uri)
	if !ok {
		return "", "", false
	}
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
	if err != nil || !addr.IsLoopback() {
		return "", "", false
	}
	return host, rest, true
}

// cutLocalhost is cutLoopback for the name localhost.
func cutLocalhost(uri string) (head, rest string, ok bool) {
	host, rest, ok := cutHost(uri)
	return host, rest, ok && host == "localhost"
}

// cutHost splits http://HOST:PORT/rest, with or without a port.
func cutHost(uri string) (host, rest string, ok bool) {
	after, ok := strings.CutPrefix(uri, "http://")
	if !ok {
		return "", "", false
	}
	end := strings.IndexAny(after, "/?#")
	if end < 0 {
		end = len(after)
	}
	authority, rest := after[:end], after[end:]
	host = authority
	if i := strings.LastIndexByte(authority, ':'); i > strings.LastIndexByte(authority, ']') {
		port := authority[i+1:]
		host = authority[:i]
		if port == "" || len(port) > 5 || strings.Trim(port, "0123456789") != "" {
			return "", "", false
		}
	}
	return host, rest, !strings.ContainsAny(rest, "#\\")
}

// validateRedirectURI judges a URI as configured.
func (c *Client) validateRedirectURI(uri string) error {
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
	switch {
	case u.Scheme == "https", u.Scheme == "http":
		if u.Host == "" {
			return fmt.Errorf("redirect_uri %q has no host", uri)
		}
		return nil
	case slices.Contains(refusedSchemes, u.Scheme):
		return fmt.Errorf("redirect_uri %q: the scheme runs or shows what it holds", uri)
	case !strings.Contains(u.Scheme, ".") && !slices.Contains(c.NativeSchemes, u.Scheme):
		return fmt.Errorf("redirect_uri %q: any app can claim the scheme; one of its own has a dot, such as com.example.app (RFC 8252, section 7.1). "+
			"If the application can have no other, write: native_scheme %s", uri, u.Scheme)
	case !c.Public && !slices.ContainsFunc(c.RedirectURIs, isWeb):
		return fmt.Errorf("redirect_uri %q: an app on somebody's device can keep no secret (RFC 8252, section 8.5): "+
			"write `public` in place of the secret, or add the https redirect_uri of the server that keeps it", uri)
	}
	return nil
}

// refusedSchemes run or show what they hold, or open whatever app they name.
//
//nolint:gochecknoglobals // a constant list
var refusedSchemes = []string{
	"javascript", "data", "vbscript", "file", "filesystem", "blob", "about", "view-source", "intent", "android-app", "content", "ws", "wss",
}

// validateNativeScheme judges a scheme that an app has without owning it.
func validateNativeScheme(scheme string) error {
	switch {
	case slices.Contains(refusedSchemes, scheme), scheme == "http", scheme == "https":
		return fmt.Errorf("native_scheme %q cannot be an app's: browsers and systems have a meaning for it", scheme)
	case strings.Trim(scheme, "abcdefghijklmnopqrstuvwxyz0123456789+-.") != "" || scheme == "" || scheme[0] < 'a':
		return fmt.Errorf("native_scheme %q is not a scheme in lower case, such as cursor (RFC 3986, section 3.1)", scheme)
	}
	return nil
}
