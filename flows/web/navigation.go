package web

import (
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/page"
)

// What begins a sign-in. It takes a place under the caps of an address, and one
// among the browser's cookies, so a page anywhere on the web must not be able to have
// its visitors' browsers begin any number: images, scripts, frames and what is
// fetched ahead begin none.

// opening is how a request came about, as far as the browser says so.
type opening int

const (
	openedAlone  opening = iota // in a tab of its own, or by a browser that does not say
	openedFramed                // by a page that shows it within itself
	openedNot                   // by no person: an image, a script, a program, ahead of time
)

// openingOf judges by Fetch Metadata. Browsers that send none, the old ones and all
// of them by plain http, are judged by Accept: only a page's names text/html.
func openingOf(r *http.Request) opening {
	if r.Method == http.MethodHead || IsPrefetch(r.Header) || CallerOf(r) != CallerNavigation {
		return openedNot
	}
	switch r.Header.Get("Sec-Fetch-Dest") {
	case "", "document", "empty": // the last where a service worker passes a navigation on
		return openedAlone
	case "iframe", "frame", "embed", "object", "fencedframe":
		return openedFramed
	}
	return openedNot
}

// Fetched reports whether a browser says that a request is no navigation, or one
// ahead of time. What says nothing is a program, or an old browser.
func Fetched(r *http.Request) bool {
	mode := r.Header.Get("Sec-Fetch-Mode")
	return mode != "" && mode != "navigate" || IsPrefetch(r.Header)
}

// IsPrefetch reports whether a browser asks ahead of time, for a page that may never
// be opened, or is drawn out of sight.
func IsPrefetch(h http.Header) bool {
	for _, name := range []string{"Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"} {
		for _, value := range h.Values(name) {
			value = strings.ToLower(value)
			if strings.Contains(value, "prefetch") || strings.Contains(value, "prerender") || strings.Contains(value, "preview") {
				return true
			}
		}
	}
	return false
}

// IsFramed reports whether a page shows what is asked for within itself.
func IsFramed(r *http.Request) bool { return openingOf(r) == openedFramed }

// Framed answers within a frame with a page that opens the very address in a tab of its
// own. A sign-in cannot be framed: the page around it could have people click what they
// don't see.
func (a *Answers) Framed(w http.ResponseWriter, r *Request) {
	a.Pages.Framed(w, r.Request, http.StatusForbidden, page.Framed{Site: HostName(r.Host), URL: r.URI})
}

// MayBegin reports whether a request may begin a sign-in; a frame may where nothing is
// stored for it. It answers itself where not.
func (a *Answers) MayBegin(w http.ResponseWriter, r *Request, inFrame bool) bool {
	opening := openingOf(r.Request)
	switch {
	case opening == openedAlone, opening == openedFramed && inFrame:
		return true
	case r.Method == http.MethodHead:
		NoStore(w)
		w.WriteHeader(http.StatusOK)
	case opening == openedFramed:
		a.Framed(w, r)
	default:
		Problem(w, http.StatusForbidden, "Open this address in a browser to sign in.", nil)
	}
	return false
}
