package page

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
)

// header sets what every page carries.
//
// The referrer policy is same-origin and not no-referrer: with the latter,
// browsers send "Origin: null" with a form's POST (Fetch, "append a request
// Origin header"), and our own forms would fail our own Origin check. To other
// origins both send nothing.
func (r *Renderer) header(h http.Header, contentType string, n name) {
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	if n != framed {
		h.Set("X-Frame-Options", "DENY")
	}
	h.Set("Content-Security-Policy", r.policy(n))
}

// policy of a page. One with a form has no form-action: Chromium holds every redirect
// that follows a form's POST to it, also those of the application that the answer leads
// to, and where that goes from its callback (another host of its own, an app's scheme)
// nobody here can know. What is not allowed ends in silence, after the code was made.
// Measured in integration/chromium with Chromium 156; Firefox 153 holds no redirect to it.
// So a form's POST is answered by 303, which works in both, cookies included.
func (r *Renderer) policy(n name) string {
	forms := ""
	if !hasForm(n) {
		forms = "; form-action 'none'"
	}
	ancestors := ""
	if n != framed {
		ancestors = "; frame-ancestors 'none'"
	}
	return "default-src 'none'; style-src " + r.styleHash + "; img-src data:" + forms + ancestors + "; base-uri 'none'"
}

func hasForm(n name) bool {
	return n != fault && n != framed && n != signedOut && n != deviceDone && n != known
}

// formTarget turns a URL into a source expression of form-action: its origin,
// and nothing else. What is not an http or https URL with a plain host gives "",
// since a stray ";" would end the directive.
func formTarget(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return ""
	}
	for _, c := range u.Host {
		if !hostByte(c) {
			return ""
		}
	}
	return u.Scheme + "://" + strings.ToLower(u.Host)
}

// hostByte: a source expression knows no wildcard here and no user names.
func hostByte(c rune) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-._:[]", c)
}

// hashSource is a style's source expression (CSP Level 3, section 2.3.1).
func hashSource(css string) string {
	sum := sha256.Sum256([]byte(css))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}
