package reading

import (
	"path"
	"strings"
)

// maxPath bounds a path that is read in several ways, maxPaths and maxPathBytes
// its readings. What has more is made to confuse, and refused.
const (
	maxPath      = 16 << 10
	maxPaths     = 512
	maxPathBytes = 128 << 10
)

// decodings are how often a path is decoded at most: by the server, and twice
// more by what it hands the path to.
const decodings = 3

// isPlain reports whether all servers read a path alike. It runs on every
// request that a matcher has let pass.
func isPlain(decoded, raw string) bool {
	var before byte
	for i := 0; i < len(decoded); i++ {
		c := decoded[i]
		switch class[c] {
		case odd:
			return false
		case slash:
			if before == '/' || before == '.' || before == ' ' {
				return false
			}
		case dot:
			if before == '/' {
				return false
			}
		case colon:
			if before == ':' || i+1 < len(decoded) && decoded[i+1] == '$' {
				return false
			}
		}
		before = c
	}
	if before == '.' || before == ' ' {
		return false
	}
	return raw == "" || !hasEscapedSeparator(raw)
}

const (
	odd = iota + 1
	slash
	dot
	colon
)

// class are the bytes that make servers disagree, some of them only beside
// others.
var class = func() (class [256]uint8) {
	for c := range class {
		if c < ' ' || c >= 0x7f {
			class[c] = odd
		}
	}
	for _, c := range `;\%?#` {
		class[c] = odd
	}
	class['/'], class['.'], class[':'] = slash, dot, colon
	return class
}()

func hasEscapedSeparator(raw string) bool {
	for i := 0; i+2 < len(raw); i++ {
		if raw[i] == '%' && (raw[i+1] == '2' && (raw[i+2]|0x20) == 'f' || raw[i+1] == '5' && (raw[i+2]|0x20) == 'c') {
			return true
		}
	}
	return false
}

// paths are the readings of a path other than decoding it once: every mix of
// what servers do to it, before and after each time that they decode. It fails
// where one of them holds a NUL, at which some servers end the path and others
// do not, or where there are too many.
func paths(decoded, escaped string) ([]string, error) {
	if len(escaped) > maxPath {
		return nil, ErrMalformed
	}
	raw := &readings{steps: rawSteps}
	if err := raw.add(escaped); err != nil {
		return nil, err
	}
	all := &readings{steps: steps}
	if err := all.add(decoded); err != nil {
		return nil, err
	}
	for i := range raw.all {
		// To a router that splits before it decodes, an escaped slash stays one.
		if err := all.add(decodeAllButSlashes(raw.all[i])); err != nil {
			return nil, err
		}
		if err := all.add(decode(raw.all[i])); err != nil {
			return nil, err
		}
	}
	for range decodings - 1 {
		for i, n := 0, len(all.all); i < n; i++ {
			if err := all.add(decode(all.all[i])); err != nil {
				return nil, err
			}
		}
	}
	for i, n := 0, len(all.all); i < n; i++ {
		if err := all.put(unmerged(all.all[i])); err != nil {
			return nil, err
		}
	}
	return all.all[1:], nil // without the path as it was sent
}

// readings grow by what their steps make of them.
type readings struct {
	steps []step
	all   []string
	seen  map[string]struct{}
	bytes int
}

// step is something that a server does to a path. "" is no reading.
type step func(path string) string

// add adds a path and what follows from it.
func (r *readings) add(path string) error {
	from := len(r.all)
	if err := r.put(path); err != nil {
		return err
	}
	for ; from < len(r.all); from++ {
		for _, step := range r.steps {
			if err := r.put(step(r.all[from])); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *readings) put(path string) error {
	if !strings.HasPrefix(path, "/") {
		return nil
	}
	if strings.IndexByte(path, 0) >= 0 {
		return ErrMalformed
	}
	if _, again := r.seen[path]; again {
		return nil
	}
	if r.bytes += len(path); len(r.all) > 0 && (r.bytes > maxPathBytes || len(r.all) >= maxPaths) {
		return ErrMalformed
	}
	if r.seen == nil {
		r.seen = make(map[string]struct{})
	}
	r.seen[path] = struct{}{}
	r.all = append(r.all, path)
	return nil
}

// rawSteps are what is done to a path before it is decoded: a slash that is
// escaped is none yet, a dot that is escaped is one to WHATWG's URL standard.
var rawSteps = []step{decodeAllButSlashes, mergeSlashes, cleanMerged, cleanApart, withoutParameters, withoutAuthority}

// steps are what is done to a decoded path.
var steps = []step{
	backslashes, mergeSlashes, cleanMerged, cleanApart, withoutDotEnd, unresolved,
	withoutParameters, withoutLastParameters, withoutPathParameters, withoutAuthority, withoutQuery,
	trimmedSegments, withoutStreams, withoutControls,
	overlong, overlongLoose, utf16Escapes, compatible, folded, bestFit, lowBytes,
}

func backslashes(p string) string { return strings.ReplaceAll(p, `\`, "/") }

// mergeSlashes is what many a router does that leaves dots alone.
func mergeSlashes(p string) string {
	for strings.Contains(p, "//") {
		p = strings.ReplaceAll(p, "//", "/")
	}
	return p
}

// unmerged is a path to a server that takes the empty segment between two slashes
// for one like others: "///public/x" is not below /public there. It is an escaped
// slash here, since a path matcher would merge the slashes.
func unmerged(p string) string {
	if !strings.Contains(p, "//") {
		return ""
	}
	segments := strings.Split(p, "/")
	for i := 1; i < len(segments)-1; i++ {
		if segments[i] == "" {
			segments[i] = "%2f"
		}
	}
	return strings.Join(segments, "/")
}

// cleanMerged resolves dot segments after doubled slashes have become one, as
// nginx does. A path that ends in a dot segment ends in a slash then (RFC 3986,
// section 5.2.4).
func cleanMerged(p string) string {
	p = plainDots(p)
	clean := path.Clean(p)
	if clean != "/" && (strings.HasSuffix(p, "/") || endsInDots(p)) {
		clean += "/"
	}
	return clean
}

// cleanApart resolves dot segments where a doubled slash holds an empty segment,
// which ".." takes away, as WHATWG's URL standard does.
func cleanApart(p string) string {
	if !strings.Contains(p, "/.") && !strings.Contains(p, "%") {
		return p
	}
	segments := strings.Split(plainDots(p)[1:], "/")
	kept := segments[:0]
	for i, s := range segments {
		last := i == len(segments)-1
		switch s {
		case ".":
		case "..":
			kept = kept[:max(0, len(kept)-1)]
		default:
			kept = append(kept, s)
			continue
		}
		if last {
			kept = append(kept, "")
		}
	}
	return "/" + strings.Join(kept, "/")
}

// unresolved is a path to a server that takes dot segments for segments like
// others, as WSGI and ASGI do: "/admin/../public" is below /admin there. They are
// escaped, since a path matcher would resolve them.
func unresolved(p string) string {
	if !strings.Contains(p, "/.") {
		return ""
	}
	return eachSegment(p, func(s string) string {
		switch s {
		case ".":
			return "%2e"
		case "..":
			return "%2e%2e"
		}
		return s
	})
}

// withoutDotEnd is a path that ended in a dot segment to a server that adds no
// slash.
func withoutDotEnd(p string) string {
	if !endsInDots(p) {
		return ""
	}
	return path.Clean(p)
}

func endsInDots(p string) bool {
	return strings.HasSuffix(p, "/.") || strings.HasSuffix(p, "/..")
}

// plainDots decodes the dots of segments that are dot segments then.
func plainDots(p string) string {
	if !strings.Contains(p, "%2") {
		return p
	}
	segments := strings.Split(p, "/")
	for i, s := range segments {
		if len(s) > len("%2e%2e") {
			continue
		}
		switch d := strings.ReplaceAll(strings.ReplaceAll(s, "%2e", "."), "%2E", "."); d {
		case ".", "..":
			segments[i] = d
		}
	}
	return strings.Join(segments, "/")
}

// withoutAuthority is a path that begins with two slashes to who resolves it as a
// reference: what follows them is a host's name (RFC 3986, section 4.2).
func withoutAuthority(p string) string {
	rest := strings.TrimLeft(p, `/\`)
	if len(p)-len(rest) < 2 {
		return ""
	}
	i := strings.IndexAny(rest, `/\`)
	if i < 0 {
		return "/"
	}
	return "/" + rest[i+1:]
}

// withoutQuery ends a path where a second parser finds a query or a fragment.
func withoutQuery(p string) string {
	if i := strings.IndexAny(p, "?#"); i >= 0 {
		return p[:i]
	}
	return ""
}
