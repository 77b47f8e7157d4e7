// Package dialect reads the requests by which other proxies ask whether a request
// may pass, and knows in which form each of them takes the answer. It decides
// nothing.
//
// A proxy asks on [AskPath], and describes the request that it asks about in
// headers of its own dialect. The headers of all other dialects are removed: a
// proxy passes on what it does not know, so that a client could describe another
// request than the one it sends (CVE-2026-40575).
package dialect

import (
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// AskPath is where a proxy asks. It is not below the path of Gatehouse's own
// endpoints, which the proxy serves to everybody.
const AskPath = "/forward_auth"

// ErrMalformed: the proxy's description of a request cannot be read. The text names
// the header and what was expected there.
var ErrMalformed = errors.New("the proxy's description of the request cannot be used")

// Dialect is how one kind of proxy asks. The zero value is not usable; use
// [ByName].
type Dialect struct {
	name string
	read func(*http.Request) (Asked, error)
	// askBelow says that the path that is asked about follows AskPath.
	askBelow bool
	// onlyYesOrNo says that the proxy passes no answer on but yes, 401 and 403.
	onlyYesOrNo bool
	// completesLocations says that the proxy resolves a redirect's path.
	completesLocations bool
}

// Asked is the request that the proxy has received.
type Asked struct {
	Method string
	Scheme string // "https" or "http"
	Host   string // as the client sent it
	URI    string // path and query, as the client sent them
}

// dialects are all that there are.
var dialects = []*Dialect{
	{name: "nginx", read: readOriginalURL, onlyYesOrNo: true},
	{name: "apache", read: readOriginalURL, onlyYesOrNo: true},
	{name: "haproxy", read: readOriginalURL, onlyYesOrNo: true},
	{name: "traefik", read: readForwarded, completesLocations: true},
	{name: "caddy", read: readForwarded},
	{name: "envoy", read: readEnvoy, askBelow: true},
}

var forwardedHeaders = []string{"X-Forwarded-Method", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Uri"}

// describing are the headers by which any proxy may describe a request, and those
// by which frameworks let a client change it.
var describing = []string{
	"X-Original-Url", "X-Original-Uri", "X-Original-Method", "X-Rewrite-Url",
	"X-Forwarded-Method", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Uri", "X-Forwarded-Port",
	"X-Forwarded-Prefix", "X-Forwarded-Path", "X-Forwarded-Scheme", "X-Forwarded-Ssl", "X-Forwarded-Server", "Forwarded",
	"X-Envoy-Original-Path", "X-Envoy-Original-Method", "X-Auth-Request-Redirect",
}

// overrides have some frameworks take a request for one with another method.
var overrides = []string{"X-Http-Method-Override", "X-Http-Method", "X-Method-Override"}

// Names are the dialects' names, in the order of the documentation.
func Names() []string {
	names := make([]string, len(dialects))
	for i, d := range dialects {
		names[i] = d.name
	}
	return names
}

// ByName returns a dialect, or nil if no dialect has the name.
func ByName(name string) *Dialect {
	i := slices.IndexFunc(dialects, func(d *Dialect) bool { return d.name == name })
	if i < 0 {
		return nil
	}
	return dialects[i]
}

// OnlyYesOrNo reports whether the proxy passes no answer on but "yes", 401 and 403.
// It must then send the same request to Gatehouse once more, for the answer.
func (d *Dialect) OnlyYesOrNo() bool { return d.onlyYesOrNo }

// CompletesLocations reports whether the proxy makes an absolute URL of a redirect that
// has a path only. It takes the address at which it asked for the base.
func (d *Dialect) CompletesLocations() bool { return d.completesLocations }

// IsAsk reports whether a request asks about another one. Everything else is meant
// for Gatehouse itself.
func (d *Dialect) IsAsk(r *http.Request) bool {
	if d.askBelow {
		rest, ok := strings.CutPrefix(r.URL.Path, AskPath)
		return ok && strings.HasPrefix(rest, "/")
	}
	if r.URL.Path != AskPath {
		return false
	}
	// A request for that very path that a proxy sends on to be answered is none.
	asked, err := d.read(r)
	return err != nil || asked.URI != r.URL.RequestURI()
}

// Read returns the request that the proxy asks about. It fails with [ErrMalformed].
func (d *Dialect) Read(r *http.Request) (Asked, error) {
	asked, err := d.read(r)
	if err != nil {
		return Asked{}, err
	}
	if err := asked.check(); err != nil {
		return asked, err
	}
	return asked, asked.checkOverrides(r.Header)
}

// checkOverrides refuses a header that has frameworks take the request for one with
// another method, which the guard has not judged.
func (a Asked) checkOverrides(h http.Header) error {
	for _, name := range overrides {
		for _, value := range h[name] {
			if !strings.EqualFold(value, a.Method) {
				return fmt.Errorf("%w: the client's header %s asks for the method %q, expected none but %s, which the request has",
					ErrMalformed, name, short(value), short(a.Method))
			}
		}
	}
	return nil
}

// Described are the addresses in headers by which any proxy may describe a request.
func Described(h http.Header) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, name := range describing {
			for _, value := range h[name] {
				if !yield(value) {
					return
				}
			}
		}
	}
}

// Strip removes what describes a request from its headers.
func Strip(h http.Header) {
	for _, name := range describing {
		delete(h, name)
	}
}

// check holds against what a proxy that works cannot say.
func (a Asked) check() error {
	switch {
	case !isToken(a.Method):
		return fmt.Errorf("%w: the method is %q, expected a word such as GET", ErrMalformed, short(a.Method))
	case a.Scheme != "https" && a.Scheme != "http":
		return fmt.Errorf("%w: the scheme is %q, expected https or http", ErrMalformed, short(a.Scheme))
	case a.Host == "":
		return fmt.Errorf("%w: the host is missing, expected that of the address that the client asked for", ErrMalformed)
	case !strings.HasPrefix(a.URI, "/"):
		return fmt.Errorf("%w: the URI is %q, expected a path that begins with a slash", ErrMalformed, withoutQuery(a.URI))
	}
	if _, err := url.ParseRequestURI(a.URI); err != nil || strings.ContainsAny(a.URI, " \t\r\n#") {
		return fmt.Errorf("%w: the URI is %q, expected a path and a query as HTTP has them, without a fragment", ErrMalformed, withoutQuery(a.URI))
	}
	return nil
}

// isToken reports whether s is a method (RFC 9110, section 9.1).
func isToken(s string) bool {
	const punctuation = "!#$%&'*+-.^_`|~"
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool {
		return (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && !strings.ContainsRune(punctuation, c)
	})
}

func short(s string) string { return strings.ToValidUTF8(s[:min(len(s), 100)], "") }

// withoutQuery is what a log may have of an address: queries hold codes and tokens.
func withoutQuery(address string) string {
	address, _, found := strings.Cut(address, "?")
	if found {
		address = address[:min(len(address), 90)] + "?…"
	}
	return short(address)
}

// one is a header's only value.
func one(h http.Header, name string) (string, error) {
	switch values := h[name]; {
	case len(values) == 1 && values[0] != "":
		return values[0], nil
	case len(values) > 1:
		return "", fmt.Errorf("%w: the header %s occurs %d times, expected once: have the proxy set it, not add it", ErrMalformed, name, len(values))
	default:
		return "", fmt.Errorf("%w: the header %s is missing or empty, expected it of this kind of proxy", ErrMalformed, name)
	}
}

// readOriginalURL reads X-Original-URL, which is absolute, and X-Original-Method.
func readOriginalURL(r *http.Request) (Asked, error) {
	address, err := one(r.Header, "X-Original-Url")
	if err != nil {
		return Asked{}, err
	}
	method, err := one(r.Header, "X-Original-Method")
	if err != nil {
		return Asked{}, err
	}
	scheme, rest, ok := strings.Cut(address, "://")
	i := strings.IndexAny(rest, "/?#")
	if !ok || i < 0 || rest[i] != '/' {
		return Asked{}, fmt.Errorf("%w: the header X-Original-URL is %q, expected https://HOST/PATH", ErrMalformed, withoutQuery(address))
	}
	return Asked{Method: method, Scheme: scheme, Host: rest[:i], URI: rest[i:]}, nil
}

// readForwarded reads the headers X-Forwarded-Method, -Proto, -Host and -Uri.
func readForwarded(r *http.Request) (Asked, error) {
	var values [4]string
	for i, name := range forwardedHeaders {
		value, err := one(r.Header, name)
		if err != nil {
			return Asked{}, err
		}
		values[i] = value
	}
	return Asked{Method: values[0], Scheme: web(values[1]), Host: values[2], URI: values[3]}, nil
}

// readEnvoy reads a check of Envoy's ext_authz filter: the request itself without
// its body, the path behind a prefix.
func readEnvoy(r *http.Request) (Asked, error) {
	scheme, err := one(r.Header, "X-Forwarded-Proto")
	if err != nil {
		return Asked{}, err
	}
	return Asked{Method: r.Method, Scheme: web(scheme), Host: r.Host, URI: strings.TrimPrefix(r.URL.RequestURI(), AskPath)}, nil
}

// web is the scheme of a WebSocket's handshake, as Traefik names it.
func web(scheme string) string {
	switch scheme {
	case "wss":
		return "https"
	case "ws":
		return "http"
	}
	return scheme
}
