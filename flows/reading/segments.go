package reading

import (
	"strings"
)

// withoutParameters cuts each segment at its first semicolon, as servlet
// containers do (RFC 3986, section 3.3).
func withoutParameters(p string) string {
	if !strings.Contains(p, ";") {
		return ""
	}
	return eachSegment(p, func(s string) string {
		s, _, _ = strings.Cut(s, ";")
		return s
	})
}

// withoutLastParameters cuts the last segment only, as Python's urlparse does.
func withoutLastParameters(p string) string {
	last := strings.LastIndexByte(p, '/')
	i := strings.IndexByte(p[last+1:], ';')
	if i < 0 {
		return ""
	}
	return p[:last+1+i]
}

// withoutPathParameters ends the path at its first semicolon.
func withoutPathParameters(p string) string {
	before, _, found := strings.Cut(p, ";")
	if !found {
		return ""
	}
	return before
}

// trimmedSegments are those of a file system that ignores dots and spaces at
// the end of a name, as Windows's does, and of servers that trim white space,
// Latin-1's included.
func trimmedSegments(p string) string {
	return eachSegment(p, func(s string) string {
		if s == "." || s == ".." {
			return s
		}
		t := trimEnd(s)
		switch {
		case t != "":
			return t
		case strings.HasPrefix(s, ".."):
			return ".."
		case strings.HasPrefix(s, "."):
			return "."
		}
		return t
	})
}

func trimEnd(s string) string {
	for s != "" {
		switch c := s[len(s)-1]; {
		case c == '.', c <= ' ', c == 0x7f:
			s = s[:len(s)-1]
		case c == 0x85 || c == 0xa0: // NEL and NBSP in Latin-1, and in UTF-8 after 0xc2
			s = strings.TrimSuffix(s[:len(s)-1], "\xc2")
		default:
			return s
		}
	}
	return s
}

// withoutStreams cuts the name of an NTFS stream: "admin::$DATA" is admin.
func withoutStreams(p string) string {
	if !strings.Contains(p, ":$") && !strings.Contains(p, "::") {
		return ""
	}
	return eachSegment(p, func(s string) string {
		s, _, _ = strings.Cut(s, ":")
		return s
	})
}

// withoutControls drops tabs and line breaks, as WHATWG's URL standard does,
// and other control characters.
func withoutControls(p string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, p)
}

func eachSegment(p string, change func(string) string) string {
	segments := strings.Split(p, "/")
	for i, s := range segments {
		segments[i] = change(s)
	}
	return strings.Join(segments, "/")
}
