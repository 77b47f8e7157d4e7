package reading

import (
	"net/url"
	"strings"
)

// Paths returns the path of a request URI as servers decode it, and the other ways to
// read it, nil where all servers read it alike. Letters' case is left to the caller. It
// fails with [ErrMalformed] where no reading can be trusted.
func Paths(uri string) (sent string, others []string, err error) {
	escaped, _, _ := strings.Cut(uri, "?")
	sent = escaped
	if strings.IndexByte(escaped, '%') >= 0 {
		if sent, err = url.PathUnescape(escaped); err != nil {
			return "", nil, ErrMalformed
		}
	}
	if sent == "" || sent[0] != '/' {
		return "", nil, ErrMalformed
	}
	if isPlain(sent, escaped) {
		return sent, nil, nil
	}
	others, err = paths(sent, escaped)
	return sent, others, err
}

// IsPlainPath reports whether all servers read a path alike, as it is written: none of
// its bytes is escaped, and none needs to be.
func IsPlainPath(path string) bool {
	return strings.HasPrefix(path, "/") && isPlain(path, "") && !strings.ContainsAny(path, " \"<>[]^`{|}*")
}
