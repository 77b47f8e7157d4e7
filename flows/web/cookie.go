package web

import (
	"net/http"
	"net/textproto"
	"slices"
	"strings"
	"time"
)

// Cookie names. Over https the session cookies carry __Host-, so that no other
// host can set or shadow them (RFC 6265bis, section 4.1.3.2); over plain http
// browsers differ on Secure cookies, so there the name is bare, and such a
// cookie is never accepted over https.
const (
	SiteCookie   = "gatehouse"
	PortalCookie = "gatehouse-portal"
	formCookie   = "gatehouse-form"
	KnownCookie  = "gatehouse-known"
	LeftCookie   = "gatehouse-left"
	AskedCookie  = "gatehouse-asked"
	ChosenCookie = "gatehouse-chosen"
	TryCookie    = "gatehouse-try-" // and what finds the attempt

	HostPrefix   = "__Host-"
	SecurePrefix = "__Secure-"
)

// SessionCookieName of a site or the portal.
func SessionCookieName(name string, secure bool) string {
	if !secure {
		return name
	}
	if name == SiteCookie {
		return HostPrefix + SiteCookie // the hot path does not concatenate
	}
	return HostPrefix + name
}

// PathCookieName is the name of a cookie that lives below our own endpoints.
func PathCookieName(name string, secure bool) string {
	if secure {
		return SecurePrefix + name
	}
	return name
}

// SetSession gives the browser its session. Every sign-in issues a new handle,
// so nobody can fix one beforehand.
func SetSession(w http.ResponseWriter, r *Request, name, handle string, secure bool, lifetime time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: SessionCookieName(name, secure), Value: handle, Path: "/",
		MaxAge: max(1, int(lifetime/time.Second)), Secure: secure, HttpOnly: true,
		SameSite: sameSite(r, name, secure),
	})
}

// sameSite is that of a session's cookie. Browsers take None by https only.
func sameSite(r *Request, name string, secure bool) http.SameSite {
	if name == SiteCookie && secure && r.Site.sendsCrossSite() {
		return http.SameSiteNoneMode
	}
	return http.SameSiteLaxMode
}

// ClearSession takes back what SetSession gave.
func ClearSession(w http.ResponseWriter, r *Request, name string, secure bool) {
	http.SetCookie(w, &http.Cookie{
		Name: SessionCookieName(name, secure), Path: "/", MaxAge: -1,
		Secure: secure, HttpOnly: true, SameSite: sameSite(r, name, secure),
	})
}

// SetPathCookie sets a cookie that only our own endpoints see.
func SetPathCookie(w http.ResponseWriter, at Issuer, name, value string, lifetime time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: PathCookieName(name, at.Secure()), Value: value, Path: at.Path,
		MaxAge: max(1, int(lifetime/time.Second)), Secure: at.Secure(), HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
	})
}

// ClearPathCookie takes back what SetPathCookie gave.
func ClearPathCookie(w http.ResponseWriter, at Issuer, name string) {
	http.SetCookie(w, &http.Cookie{
		Name: PathCookieName(name, at.Secure()), Path: at.Path, MaxAge: -1,
		Secure: at.Secure(), HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

// KeepPathCookie takes back that a cookie of SetPathCookie is cleared.
func KeepPathCookie(w http.ResponseWriter, at Issuer, name string) {
	name = PathCookieName(name, at.Secure()) + "="
	h := w.Header()
	h["Set-Cookie"] = slices.DeleteFunc(slices.Clone(h["Set-Cookie"]), func(line string) bool {
		return strings.HasPrefix(line, name)
	})
	if len(h["Set-Cookie"]) == 0 {
		h.Del("Set-Cookie")
	}
}

// PathCookie reads a cookie of SetPathCookie, or "".
func PathCookie(r *http.Request, at Issuer, name string) string {
	c, err := r.Cookie(PathCookieName(name, at.Secure()))
	if err != nil {
		return ""
	}
	return c.Value
}

// EachCookie calls use with every value of the named cookie until it returns
// true. There may be several: another host of the domain can add its own in
// front of ours, which must not mask it. It does not allocate.
func EachCookie(h http.Header, name string, use func(value string) bool) bool {
	for _, line := range h["Cookie"] {
		for line != "" {
			var pair string
			pair, line, _ = strings.Cut(line, ";")
			rest, ok := strings.CutPrefix(textproto.TrimString(pair), name)
			if ok && strings.HasPrefix(rest, "=") && use(rest[1:]) {
				return true
			}
		}
	}
	return false
}

// Ours reports whether a cookie is one that Gatehouse sets.
func Ours(name string) bool {
	name = strings.TrimPrefix(strings.TrimPrefix(name, HostPrefix), SecurePrefix)
	rest, ok := strings.CutPrefix(name, SiteCookie)
	return ok && (rest == "" || rest[0] == '-')
}

// StripCookies removes our cookies from a request on its way upstream and
// leaves all others as they are, byte for byte. It writes into no slice that it
// finds: the lines may be shared with other requests.
func StripCookies(h http.Header) {
	lines := h["Cookie"]
	if len(lines) == 0 {
		return
	}
	kept := make([]string, 0, len(lines))
	for _, line := range lines {
		if line = withoutOurs(line); line != "" {
			kept = append(kept, line)
		}
	}
	if len(kept) == 0 {
		delete(h, "Cookie")
		return
	}
	h["Cookie"] = kept
}

// withoutOurs goes from one mention of our name to the next, so that most of a
// line need not be taken apart.
func withoutOurs(line string) string {
	at := strings.Index(line, SiteCookie)
	if at < 0 {
		return line
	}
	var b strings.Builder
	for ; at >= 0; at = strings.Index(line, SiteCookie) {
		start := strings.LastIndexByte(line[:at], ';') + 1
		pair, rest, _ := strings.Cut(line[start:], ";")
		name, _, _ := strings.Cut(pair, "=")
		if !Ours(strings.TrimSpace(name)) {
			start = len(line) - len(rest) // it is kept
		}
		b.Grow(start + len(rest))
		b.WriteString(line[:start])
		line = rest
	}
	b.WriteString(line)
	return strings.TrimSuffix(strings.TrimSpace(b.String()), ";")
}
