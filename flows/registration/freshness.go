package registration

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// How long a document is remembered: that says nothing of it, and at most.
const (
	usualFreshness = 5 * time.Minute
	mostFreshness  = 24 * time.Hour
)

// freshness is how long an answer may be used again (RFC 9111, section 4.2), within our
// bounds; 0: not at all.
func freshness(h http.Header) time.Duration {
	fresh := usualFreshness
	if expires := h.Get("Expires"); expires != "" {
		fresh = 0 // of one that cannot be read, too (section 5.3)
		if at, err := http.ParseTime(expires); err == nil {
			if date, err := http.ParseTime(h.Get("Date")); err == nil {
				fresh = at.Sub(date)
			}
		}
	}
	for directive := range strings.SplitSeq(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(directive)), "=")
		switch name {
		case "no-store", "no-cache":
			return 0
		case "max-age":
			n, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31)
			if err != nil {
				return 0
			}
			fresh = time.Duration(n) * time.Second //nolint:gosec // 31 bits
		}
	}
	if age, err := strconv.ParseUint(h.Get("Age"), 10, 31); err == nil {
		fresh -= time.Duration(age) * time.Second //nolint:gosec // 31 bits
	}
	return min(max(fresh, 0), mostFreshness)
}
