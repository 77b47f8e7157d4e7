package caddymodule

import (
	"net/http"
	"strings"
)

// ambiguous are the characters that make servers disagree about which path they
// were asked for. A percent sign in a decoded path is one that was escaped twice.
const ambiguous = ";\\%"

// mustSignIn tells whether a request matches one of the guard's matcher sets in
// any of the ways that an upstream may read its path: to a servlet container
// /public/..;/admin is /admin, to others a backslash is a slash, and some decode
// twice. Who guards by path must not be the only one to read it right.
func (g *Guard) mustSignIn(r *http.Request) (bool, error) {
	match, err := g.matchers.AnyMatchWithError(r)
	if match || err != nil || !strings.ContainsAny(r.URL.Path, ambiguous) {
		return match, err
	}
	for _, path := range readings(r.URL.Path) {
		if match, err = g.matchers.AnyMatchWithError(withPath(r, path)); match || err != nil {
			return match, err
		}
	}
	return false, nil
}

// withPath is a request as an upstream that reads its path so would see it.
func withPath(r *http.Request, path string) *http.Request {
	read, url := *r, *r.URL
	url.Path, url.RawPath = path, ""
	read.URL = &url
	return &read
}

// readings are the ways to read a decoded path that differ from taking it as it
// is: decoded once or twice more, with backslashes for slashes, and without the
// parameters of its segments, in all combinations.
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
		add(path)
		add(slashed)
		add(withoutParameters(path))
		add(withoutParameters(slashed))
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
