package page

import (
	"fmt"
	"net/url"
	"strings"
)

// Opens reports whether a browser can be sent to a URL: one that is not too long as it
// is spelt in the end, and of no scheme that runs or shows what it holds. Native apps
// have schemes of their own (RFC 8252, section 7.1).
func Opens(raw string) bool {
	if len(raw) > MaxURL {
		return false
	}
	u, err := url.Parse(raw)
	return err == nil && leadsAway(u) && len(escape(u.String())) <= MaxURL
}

// escape writes what no URI may hold (RFC 3986, section 2) as percent escapes:
// net/url leaves what follows a scheme of its own (com.example.app:…) as it came.
// An apostrophe goes with them: html/template escapes it in an attribute.
func escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c > '~' || strings.IndexByte("\"'<>\\^`{|}", c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func leadsAway(u *url.URL) bool {
	switch strings.ToLower(u.Scheme) {
	case "http", "https":
		return u.Host != ""
	case "", "javascript", "vbscript", "data", "blob", "file", "filesystem", "about", "view-source", "ws", "wss", "intent", "android-app", "content":
		return false
	}
	return true
}
