package page

import (
	"fmt"
	"html/template"
	"net/url"
	"strings"
)

// Onward sends the browser on after a form was posted, to an address of
// another origin.
//
// Chromium holds a form's answer to the form-action of the page that the form
// was on, through every redirect that follows. The client's redirect URI could
// be allowed there (Targets), but not where the client redirects to from
// there, which nobody here can know. So the POST is answered with this page:
// it has a policy of its own, and goes on by itself (Refresh) or by its link.
type Onward struct {
	// Site where the browser goes, a host name.
	Site string
	// URL with any scheme but those that run or show what they hold
	// (javascript, data, …): native apps have their own (RFC 8252, section 7.1).
	URL string
}

type onwardView struct {
	Site string
	URL  template.URL
}

// view reports false, and leaves the URL empty, when it leads nowhere.
func (p Onward) view() (onwardView, bool) {
	v := onwardView{Site: line(p.Site, maxHost)}
	address, ok := onwardURL(p.URL)
	// Checked; html/template would refuse the schemes of native apps.
	v.URL = template.URL(address) //nolint:gosec // scheme checked
	return v, ok
}

// Opens reports whether [Onward] leads to a URL: one that is not too long as it is
// spelt in the end, and of no scheme that runs or shows what it holds.
func Opens(raw string) bool {
	_, ok := onwardURL(raw)
	return ok
}

func onwardURL(raw string) (string, bool) {
	if len(raw) > MaxURL {
		return "", false
	}
	u, err := url.Parse(raw)
	if err != nil || !leadsAway(u) {
		return "", false
	}
	address := escape(u.String())
	if len(address) > MaxURL {
		return "", false
	}
	return address, true
}

// escape writes what no URI may hold (RFC 3986, section 2) as percent escapes:
// net/url leaves what follows a scheme of its own (com.example.app:…) as it
// came, and the address stands in a header field too, where a quote has a meaning of its own.
// An apostrophe goes with them: html/template escapes it in the link.
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
