package caddymodule

import (
	"context"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// ambiguous are the characters that make servers disagree about which path they
// were asked for. A percent sign in a decoded path is one that was escaped twice.
const ambiguous = ";\\%"

// mustSignIn tells whether a request matches one of the guard's matcher sets in
// any of the ways that an upstream may read it: to a servlet container
// /public/..;/admin is /admin, to others a backslash is a slash, some decode
// twice, and some take "post" for POST (methods are case-sensitive: RFC 9110,
// section 9.1). Who guards by path or method must not be the only one to read it
// right.
func (g *Guard) mustSignIn(r *http.Request) (bool, error) {
	match, err := g.matchers.AnyMatchWithError(r)
	if match || err != nil {
		return match, err
	}
	paths := []string{r.URL.Path}
	if isAmbiguous(r.URL.Path) {
		paths = append(paths, readings(r.URL.Path)...)
	}
	methods := []string{r.Method}
	if upper := strings.ToUpper(r.Method); upper != r.Method {
		methods = append(methods, upper)
	}
	for i, method := range methods {
		for j, path := range paths {
			if i+j == 0 {
				continue // as it was sent: no match
			}
			if match, err = g.matchers.AnyMatchWithError(readAs(r, method, path)); match || err != nil {
				return match, err
			}
		}
	}
	return false, nil
}

// isAmbiguous tells whether a path can be read in another way. Caddy's own path
// matchers clean paths; those that compare a placeholder do not.
func isAmbiguous(path string) bool {
	return strings.ContainsAny(path, ambiguous) || strings.Contains(path, "//") || strings.Contains(path, "/.")
}

// readAs is a request as an upstream that reads it so would see it, also to
// matchers that look at placeholders, such as expressions.
func readAs(r *http.Request, method, path string) *http.Request {
	url := *r.URL
	url.Path, url.RawPath = path, ""
	read := r.WithContext(r.Context())
	read.Method, read.URL, read.RequestURI = method, &url, url.RequestURI()
	sent, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return read
	}
	var own *caddy.Replacer // made where a matcher asks: Caddy's answers for this reading
	repl := caddy.NewEmptyReplacer()
	repl.Map(func(key string) (any, bool) {
		if !isOfReading(key) {
			return sent.Get(key)
		}
		if own == nil {
			own = caddy.NewEmptyReplacer()
			caddyhttp.PrepareRequest(read, own, nil, nil)
		}
		return own.Get(key)
	})
	return read.WithContext(context.WithValue(r.Context(), caddy.ReplacerCtxKey, repl))
}

// isOfReading tells whether a placeholder depends on how the path and the method
// are read. Those of the query do not.
func isOfReading(key string) bool {
	switch key {
	case "http.request.method", "http.request.orig_method",
		"http.request.uri", "http.request.uri_escaped", "http.request.orig_uri":
		return true
	}
	return strings.HasPrefix(key, "http.request.uri.path") || strings.HasPrefix(key, "http.request.orig_uri.path")
}

// readings are the ways to read a decoded path that differ from taking it as it
// is: decoded once or twice more, with backslashes for slashes, without the
// parameters of its segments, and with its dot segments and doubled slashes
// resolved, in all combinations.
func readings(path string) []string {
	seen := map[string]struct{}{path: {}}
	var all []string
	add := func(reading string) {
		if _, again := seen[reading]; !again && strings.HasPrefix(reading, "/") {
			seen[reading] = struct{}{}
			all = append(all, reading)
		}
	}
	for range 3 {
		slashed := strings.ReplaceAll(path, `\`, "/")
		for _, reading := range []string{path, slashed, withoutParameters(path), withoutParameters(slashed)} {
			add(reading)
			add(caddyhttp.CleanPath(reading, true))
		}
		path = decodeAgain(path)
	}
	return all
}

// withoutParameters cuts each segment at its first semicolon (RFC 3986, section
// 3.3).
func withoutParameters(path string) string {
	if !strings.Contains(path, ";") {
		return path
	}
	segments := strings.Split(path, "/")
	for i, s := range segments {
		segments[i], _, _ = strings.Cut(s, ";")
	}
	return strings.Join(segments, "/")
}

// decodeAgain decodes every valid escape and leaves the others, as lenient
// servers do.
func decodeAgain(path string) string {
	if !strings.Contains(path, "%") {
		return path
	}
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] == '%' && i+2 < len(path) {
			high, low := unhex(path[i+1]), unhex(path[i+2])
			if high < 16 && low < 16 {
				b.WriteByte(high<<4 | low)
				i += 2
				continue
			}
		}
		b.WriteByte(path[i])
	}
	return b.String()
}

// unhex is the value of a hexadecimal digit, or 16.
func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 16
}

// nonsense answers a path that holds a NUL, at which some upstreams end it and
// others do not.
func nonsense(w http.ResponseWriter) error {
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, "This path cannot be.", http.StatusBadRequest)
	return nil
}
