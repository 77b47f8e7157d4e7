package reading_test

import (
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"

	whatwg "github.com/nlnwa/whatwg-url/url"

	"github.com/gatehouse-auth/gatehouse/flows/reading"
)

// servers are what one server or another makes of an escaped path, written apart
// from the code under test. "" is no path.
var servers = map[string]func(escaped string) string{
	"Go": func(p string) string { return path.Clean(unescape(p)) + endSlash(unescape(p)) },
	"nginx": func(p string) string {
		return removeDots(mergeSlashes(unescape(p)))
	},
	"nginx without merging": func(p string) string { return removeDots(unescape(p)) },
	"WHATWG, decoded": func(p string) string {
		u, err := whatwg.ParseRef("http://host.invalid", p)
		if err != nil {
			return ""
		}
		return unescape(u.Pathname())
	},
	"WHATWG twice": func(p string) string {
		u, err := whatwg.ParseRef("http://host.invalid", unescape(p))
		if err != nil {
			return ""
		}
		return unescape(u.Pathname())
	},
	"servlet": func(p string) string { return removeDots(unescape(cutParameters(p))) },
	"servlet, parameters last": func(p string) string {
		return removeDots(cutParameters(unescape(p)))
	},
	"Windows": func(p string) string {
		return removeDots(strings.ReplaceAll(unescape(p), `\`, "/"))
	},
	"twice":   func(p string) string { return path.Clean(unescape(unescape(p))) + endSlash(unescape(unescape(p))) },
	"thrice":  func(p string) string { return removeDots(unescape(unescape(unescape(p)))) },
	"as sent": unescape,
	"Python": func(p string) string {
		u, err := url.Parse(p)
		if err != nil {
			return ""
		}
		return unescape(u.EscapedPath())
	},
}

func unescape(p string) string {
	var b []byte
	for p != "" {
		if len(p) > 2 && p[0] == '%' {
			if c, err := url.PathUnescape(p[:3]); err == nil {
				b, p = append(b, c...), p[3:]
				continue
			}
		}
		b, p = append(b, p[0]), p[1:]
	}
	return string(b)
}

func mergeSlashes(p string) string {
	return "/" + strings.Join(slices.DeleteFunc(strings.Split(p, "/"), func(s string) bool { return s == "" }), "/") + endSlash(p)
}

func endSlash(p string) string {
	if strings.HasSuffix(p, "/") {
		return "/"
	}
	return ""
}

// removeDots is RFC 3986, section 5.2.4.
func removeDots(in string) string {
	out := ""
	for in != "" {
		switch {
		case strings.HasPrefix(in, "/./"):
			in = in[2:]
		case in == "/.":
			in = "/"
		case strings.HasPrefix(in, "/../"):
			in, out = in[3:], out[:max(0, strings.LastIndexByte(out, '/'))]
		case in == "/..":
			in, out = "/", out[:max(0, strings.LastIndexByte(out, '/'))]
		default:
			end := strings.IndexByte(in[1:], '/') + 1
			if end == 0 {
				end = len(in)
			}
			out, in = out+in[:end], in[end:]
		}
	}
	return out
}

func cutParameters(p string) string {
	segments := strings.Split(p, "/")
	for i := range segments {
		segments[i], _, _ = strings.Cut(segments[i], ";")
	}
	return strings.Join(segments, "/")
}

// FuzzOthers: what any server reads as guarded is found guarded.
func FuzzOthers(f *testing.F) {
	for _, s := range shapes(f) {
		f.Add(s.path)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if !strings.HasPrefix(raw, "/") {
			raw = "/" + raw
		}
		u, err := url.ParseRequestURI(raw)
		if err != nil || u.Path == "" || u.Path[0] != '/' {
			return
		}
		compare(t, raw, u)
	})
}

// FuzzOthers_Pieces is [FuzzOthers] with paths that are made of what confuses
// servers.
func FuzzOthers_Pieces(f *testing.F) {
	pieces := []string{
		"/", "/", "/", "//", "admin", "public", "x", "..", "..", ".", "%2e", "%2e%2e", "%2f", "%5c", "%252f", "%252e", "%25", ";", "%3b", ";a=b",
		"%00", "%20", "%c0%af", "%23", "%3f", "%09", "%2561dmin", "%61dmin", ":", "@", "(",
	}
	f.Add([]byte{0, 4, 0, 6})
	f.Add([]byte{0, 6, 12, 6, 0, 7, 0, 4, 0, 6})
	f.Add([]byte("AC CA")) // "///public/public//"
	f.Fuzz(func(t *testing.T, picks []byte) {
		raw := "/"
		for _, pick := range picks[:min(len(picks), 16)] {
			raw += pieces[int(pick)%len(pieces)]
		}
		if u, err := url.ParseRequestURI(raw); err == nil {
			compare(t, raw, u)
		}
	})
}

func compare(t *testing.T, raw string, u *url.URL) {
	t.Helper()
	admin, public := judge(t, raw)
	for name, read := range servers {
		p := read(u.EscapedPath()) // as it is passed on
		if !strings.HasPrefix(p, "/") {
			continue
		}
		isBelow := isBelow
		if name == "as sent" { // who resolves no dots
			isBelow = func(prefix, p string) bool { return strings.HasPrefix(strings.ToLower(p), prefix) }
		}
		if admin == "open" && isBelow("/admin/", p) {
			t.Errorf("%q is %q to %s, and open", raw, p, name)
		}
		if public == "open" && !isBelow("/public/", p) {
			t.Errorf("%q is %q to %s, and taken for public", raw, p, name)
		}
	}
}

// FuzzQueries: where a server takes the last parameter of a name, a reading has
// it first.
func FuzzQueries(f *testing.F) {
	for _, seed := range []string{"action=view", "action=view&action=delete", "ACTION=delete&x=%", "a;b", "action[]=delete", "%61ction=delete", "+action=delete", "action%00x=delete"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		r := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/", RawQuery: raw}}
		others, err := reading.Others(r, reading.Looks{Query: true, Names: []string{"action"}})
		if err != nil {
			return
		}
		if !reading.IsQueryReadable(raw) {
			return // and must sign in
		}
		sent, err := url.ParseQuery(raw)
		if err != nil {
			t.Fatalf("%q is said to be readable: %v", raw, err)
		}
		values := sent["action"]
		if len(values) == 0 {
			return
		}
		last := values[len(values)-1]
		found := values[0] == last
		for _, other := range others {
			read, err := url.ParseQuery(other.RawQuery)
			if err != nil {
				t.Fatalf("%q is read as %q: %v", raw, other.RawQuery, err)
			}
			found = found || read.Get("action") == last
		}
		if !found {
			t.Errorf("no reading of %q has action=%q", raw, last)
		}
	})
}
