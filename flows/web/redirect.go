package web

import (
	"net/http"
	"net/url"
	"strings"
)

// AnswerURL is a redirect URI with an answer.
func AnswerURL(redirectURI string, answer url.Values) string {
	switch {
	case !strings.Contains(redirectURI, "?"):
		return redirectURI + "?" + answer.Encode()
	case strings.HasSuffix(redirectURI, "?"), strings.HasSuffix(redirectURI, "&"):
		return redirectURI + answer.Encode()
	}
	return redirectURI + "&" + answer.Encode()
}

// RedirectExternal sends the browser to another origin, by 303 also after a form's POST:
// the pages' policies allow that, see flows/page.
func RedirectExternal(w http.ResponseWriter, location string) {
	NoStore(w)
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("Location", location)
	w.WriteHeader(http.StatusSeeOther)
}

// SeeOther redirects by GET within the site (303, never 307: RFC 9700, section
// 4.12, since a 307 would post a password on).
func SeeOther(w http.ResponseWriter, r *Request, location string) {
	NoStore(w)
	h := w.Header()
	h.Set("Location", location)
	h.Set("Referrer-Policy", "same-origin")
	w.WriteHeader(http.StatusSeeOther)
}
