package web

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/page"
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

// RedirectExternal sends the browser to another origin.
func (a *Answers) RedirectExternal(w http.ResponseWriter, r *Request, client, location string) {
	NoStore(w)
	// Browsers hold a form's POST to form-action through every redirect that
	// follows; a page of its own is free of that.
	if r.Method == http.MethodPost && r.Header.Get("Sec-Fetch-Mode") == "navigate" {
		a.Pages.Onward(w, r.Request, http.StatusOK, page.Onward{Site: client, URL: location})
		return
	}
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
