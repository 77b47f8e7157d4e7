package registration

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// maxRedirectURI is the longest redirect URI, in bytes. All of them have to find room in
// the id.
const maxRedirectURI = 512

// CheckRedirectURI judges a redirect URI of a client that registers itself: https, http
// on a loopback address or localhost (RFC 8252, section 7.3), or a private-use scheme of
// an app (section 7.1). It is an [Error].
func CheckRedirectURI(uri string) error {
	u, err := url.Parse(uri)
	switch {
	case len(uri) > maxRedirectURI:
		return invalidRedirect("a redirect_uri has more than %d bytes", maxRedirectURI)
	case strings.Trim(uri, printable) != "":
		return invalidRedirect("a redirect_uri must be of printable ASCII")
	case err != nil || u.Scheme == "":
		return invalidRedirect("redirect_uri %q is not an absolute URI", uri)
	case strings.ContainsAny(uri, "#*\\<>\"`{}|^"):
		return invalidRedirect("redirect_uri %q must have no fragment, wildcard or quote (RFC 6749, section 3.1.2)", uri)
	case u.User != nil:
		return invalidRedirect("redirect_uri %q must have no user", uri)
	case strings.HasSuffix(u.Host, ":"):
		return invalidRedirect("redirect_uri %q has an empty port", uri)
	case hasDotSegment(u.Path):
		return invalidRedirect("redirect_uri %q must have no . or .. in its path: browsers go elsewhere", uri)
	}
	switch u.Scheme {
	case "https":
		if u.Hostname() == "" {
			return invalidRedirect("redirect_uri %q has no host", uri)
		}
		return nil
	case "http":
		if !isLoopback(u.Hostname()) {
			return invalidRedirect("redirect_uri %q must be https: only programs of the person's own device listen by plain http, on 127.0.0.1, [::1] or localhost", uri)
		}
		return nil
	}
	if !isPrivateScheme(u.Scheme) {
		return invalidRedirect("redirect_uri %q: that scheme is no app's own", uri)
	}
	return nil
}

// hasDotSegment reports whether a path, decoded, has a segment that browsers resolve
// (WHATWG URL, section 4.4): what is written is not where they go.
func hasDotSegment(path string) bool {
	return slices.ContainsFunc(strings.Split(path, "/"), func(s string) bool { return s == "." || s == ".." })
}

// printable is all of printable ASCII but the space.
const printable = "!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~"

// isNative reports whether an answer goes to a program of the person's own device.
func isNative(uri string) bool {
	u, err := url.Parse(uri)
	return err != nil || u.Scheme != "https" || isLoopback(u.Hostname())
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// isPrivateScheme reports whether a scheme may be an app's own. RFC 8252 would have a dot
// in it, which the apps that register themselves do not keep to (cursor, vscode). What
// has a meaning for browsers and systems is refused: it runs or shows what it holds, or
// opens something that the person did not ask for.
func isPrivateScheme(scheme string) bool {
	if strings.Contains(scheme, ".") {
		return true
	}
	return !slices.Contains(knownSchemes, scheme) && !slices.ContainsFunc(knownFamilies, func(f string) bool { return strings.HasPrefix(scheme, f) })
}

// knownSchemes are those that browsers, operating systems and the registry of IANA give a
// meaning.
//
//nolint:gochecknoglobals // a constant list
var knownSchemes = []string{
	"about", "acap", "afp", "aim", "android-app", "apt", "blob", "callto", "cap", "chrome", "cid", "content", "crid", "data", "dav", "dict", "dns",
	"dntp", "edge", "facetime", "feed", "file", "filesystem", "finger", "ftp", "ftps", "geo", "git", "go", "gopher", "hcp", "im", "imap",
	"info", "intent", "ipp", "ipps", "irc", "ircs", "itms", "jar", "javascript", "ldap", "ldaps", "livescript", "magnet", "mailto",
	"maps", "market", "mhtml", "mid", "mk", "mms", "mocha", "moz-extension", "msrp", "mtqp", "news", "nfs", "nntp", "opaquelocktoken", "pop", "pres",
	"rdp", "res", "resource", "rsync", "rtsp", "service", "session", "sftp", "shell", "shttp", "sip", "sips", "skype", "smb", "sms", "smsto", "snmp",
	"ssh", "steam", "stun", "stuns", "svn", "tag", "tel", "telnet", "tftp", "tn3270", "turn", "turns", "tv", "urn", "vbs", "vbscript", "vemmi", "view-source",
	"vnc", "webcal", "wpid", "ws", "wss", "wyciwyg", "x-javascript", "xmpp", "z39.50",
}

// knownFamilies begin names of schemes that open parts of a system.
//
//nolint:gochecknoglobals // a constant list
var knownFamilies = []string{"ms-", "search", "x-apple", "x-msdownload", "chrome-", "itms-", "microsoft-", "web+", "git+", "svn+", "coap", "soap", "view-"}
