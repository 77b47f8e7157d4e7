package flows

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
	siteCookie   = "gatehouse"
	portalCookie = "gatehouse-portal"
	formCookie   = "gatehouse-form"
	knownCookie  = "gatehouse-known"
	leftCookie   = "gatehouse-left"
	askedCookie  = "gatehouse-asked"
	tryCookie    = "gatehouse-try-" // and what finds the attempt

	hostPrefix   = "__Host-"
	securePrefix = "__Secure-"
)

// sessionCookieName of a site or the portal.
func sessionCookieName(name string, secure bool) string {
	if !secure {
		return name
	}
	if name == siteCookie {
		return hostPrefix + siteCookie // the hot path does not concatenate
	}
	return hostPrefix + name
}

// pathCookieName is the name of a cookie that lives below our own endpoints.
func pathCookieName(name string, secure bool) string {
	if secure {
		return securePrefix + name
	}
	return name
}

// setSession gives the browser its session. Every sign-in issues a new handle,
// so nobody can fix one beforehand.
func setSession(w http.ResponseWriter, name, handle string, secure bool, lifetime time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: sessionCookieName(name, secure), Value: handle, Path: "/",
		MaxAge: max(1, int(lifetime/time.Second)), Secure: secure, HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
	})
}

func clearSession(w http.ResponseWriter, name string, secure bool) {
	http.SetCookie(w, &http.Cookie{
		Name: sessionCookieName(name, secure), Path: "/", MaxAge: -1,
		Secure: secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

// setPathCookie sets a cookie that only our own endpoints see.
func setPathCookie(w http.ResponseWriter, at place, name, value string, lifetime time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: pathCookieName(name, at.secure()), Value: value, Path: at.path,
		MaxAge: max(1, int(lifetime/time.Second)), Secure: at.secure(), HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
	})
}

func clearPathCookie(w http.ResponseWriter, at place, name string) {
	http.SetCookie(w, &http.Cookie{
		Name: pathCookieName(name, at.secure()), Path: at.path, MaxAge: -1,
		Secure: at.secure(), HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

// keepPathCookie takes back that a cookie of setPathCookie is cleared.
func keepPathCookie(w http.ResponseWriter, at place, name string) {
	name = pathCookieName(name, at.secure()) + "="
	h := w.Header()
	h["Set-Cookie"] = slices.DeleteFunc(slices.Clone(h["Set-Cookie"]), func(line string) bool {
		return strings.HasPrefix(line, name)
	})
	if len(h["Set-Cookie"]) == 0 {
		h.Del("Set-Cookie")
	}
}

// pathCookie reads a cookie of setPathCookie, or "".
func pathCookie(r *http.Request, at place, name string) string {
	c, err := r.Cookie(pathCookieName(name, at.secure()))
	if err != nil {
		return ""
	}
	return c.Value
}

// eachCookie calls use with every value of the named cookie until it returns
// true. There may be several: another host of the domain can add its own in
// front of ours, which must not mask it. It does not allocate.
func eachCookie(h http.Header, name string, use func(value string) bool) bool {
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

// ours tells whether a cookie is one that Gatehouse sets.
func ours(name string) bool {
	name = strings.TrimPrefix(strings.TrimPrefix(name, hostPrefix), securePrefix)
	rest, ok := strings.CutPrefix(name, siteCookie)
	return ok && (rest == "" || rest[0] == '-')
}

// stripCookies removes our cookies from a request on its way upstream and
// leaves all others as they are, byte for byte. It writes into no slice that it
// finds: the lines may be shared with other requests.
func stripCookies(h http.Header) {
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
	at := strings.Index(line, siteCookie)
	if at < 0 {
		return line
	}
	var b strings.Builder
	for ; at >= 0; at = strings.Index(line, siteCookie) {
		start := strings.LastIndexByte(line[:at], ';') + 1
		pair, rest, _ := strings.Cut(line[start:], ";")
		name, _, _ := strings.Cut(pair, "=")
		if !ours(strings.TrimSpace(name)) {
			start = len(line) - len(rest) // it is kept
		}
		b.Grow(start + len(rest))
		b.WriteString(line[:start])
		line = rest
	}
	b.WriteString(line)
	return strings.TrimSuffix(strings.TrimSpace(b.String()), ";")
}
