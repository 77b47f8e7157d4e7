package caddymodule

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/flows/reading"
)

// doubt is what cannot be read of a request that a guard's matchers look at.
// Such a matcher may match and may not, and so may one that negates it: where
// the others of its set match, the request must sign in.
type doubt struct {
	query, variables bool
	header           http.Header
}

// doubtOf looks for what the guard's matchers look at and cannot read.
func (g *Guard) doubtOf(r *http.Request, ambiguous bool) (d doubt, any bool) {
	d.header = r.Header
	d.query = g.sight.Query && r.URL.RawQuery != "" && !reading.IsQueryReadable(r.URL.RawQuery)
	d.variables = g.sight.variables && (ambiguous || d.query || g.made.Query && !reading.IsQueryPlain(r.URL.RawQuery, g.made.Names) || d.ofFields(&g.made))
	return d, d.query || d.variables || d.ofFields(&g.sight)
}

// about reports whether a matcher looks at what is in doubt.
func (d doubt) about(m *matcherSight) bool {
	return d.query && m.Query || d.variables && m.variables || d.ofFields(&m.sight)
}

// ofFields reports whether a header or a cookie that is looked at comes more
// than once: which one counts is the upstream's choice.
func (d doubt) ofFields(s *sight) bool {
	for _, name := range s.headers {
		if len(d.header[name]) > 1 {
			return true
		}
	}
	return slices.ContainsFunc(s.cookies, d.ofCookie)
}

// ofCookie reports whether a cookie comes more than once, or in a form that servers
// read differently. Caddy's placeholder takes the first of any case; applications
// tell case apart, decode what is escaped (PHP, Express), and some take a comma or a
// space for the end of a cookie (RFC 2109, section 4.4).
func (d doubt) ofCookie(wanted string) bool {
	found, inPlain := 0, true
	for _, line := range d.header["Cookie"] {
		for pair := range strings.SplitSeq(line, ";") {
			pair = strings.TrimSpace(pair)
			for part := range strings.FieldsFuncSeq(pair, isCookieEnd) {
				name, value, _ := strings.Cut(part, "=")
				if !strings.EqualFold(unescapedName(name), wanted) {
					continue
				}
				found++
				inPlain = inPlain && part == pair && name == wanted && isPlainCookie(value)
			}
		}
	}
	return found > 1 || !inPlain
}

func isCookieEnd(r rune) bool { return r == ',' || r == ' ' || r == '\t' }

func unescapedName(name string) string {
	if unescaped, err := url.QueryUnescape(name); err == nil {
		return unescaped
	}
	return name
}

// isPlainCookie reports whether a value is itself to everybody: nothing in it is
// quoted or escaped, or read by some as its end.
func isPlainCookie(value string) bool {
	for i := 0; i < len(value); i++ {
		if c := value[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`%+\",`, c) >= 0 {
			return false
		}
	}
	return true
}

// mayMatch reports whether one of the sets may match.
func (d doubt) mayMatch(sets []sights, r *http.Request) (bool, error) {
	for _, set := range sets {
		may := true
		for i := range set {
			can, _, err := d.judge(&set[i], r)
			if err != nil {
				return false, err
			}
			if may = may && can; !may {
				break
			}
		}
		if may {
			return true, nil
		}
	}
	return false, nil
}

// judge reports whether a matcher may match, and whether it may not.
func (d doubt) judge(m *matcherSight, r *http.Request) (may, mayNot bool, err error) {
	if m.isNot {
		return d.judgeNot(m, r)
	}
	if d.about(m) {
		return true, true, nil
	}
	match, err := caddyhttp.MatcherSet{m.matcher}.MatchWithError(r)
	return match, !match, err
}

// judgeNot: a negation matches when none of its sets does.
func (d doubt) judgeNot(m *matcherSight, r *http.Request) (may, mayNot bool, err error) {
	may = true
	for _, set := range m.not {
		setMay, setMayNot := true, false
		for i := range set {
			can, cannot, err := d.judge(&set[i], r)
			if err != nil {
				return false, false, err
			}
			setMay, setMayNot = setMay && can, setMayNot || cannot
		}
		may, mayNot = may && setMayNot, mayNot || setMay
	}
	return may, mayNot, nil
}
