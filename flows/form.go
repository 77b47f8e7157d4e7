package flows

import (
	"encoding/base64"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/flows/page"
)

const formField = "form"

// formToken ties a form to the browser that it was shown in: a value in a
// cookie, and its MAC in a hidden field. Without it another site could sign
// somebody in as somebody else, or sign them out.
func (g *Gateway) formToken(w http.ResponseWriter, r *http.Request, at place) page.Field {
	value := pathCookie(r, at, formCookie)
	if raw, err := base64.RawURLEncoding.Strict().DecodeString(value); err != nil || len(raw) != 16 {
		value = base64.RawURLEncoding.EncodeToString(g.Keyring.Random(16))
	}
	setPathCookie(w, at, formCookie, value, 24*flowValidity)
	mac := g.Keyring.MAC("form", []byte(at.issuer()), []byte(value))
	return page.Field{Name: formField, Value: base64.RawURLEncoding.EncodeToString(mac)}
}

// formFault is what is wrong with a posted form's origin.
type formFault int

const (
	formFine formFault = iota
	formNoCookie
	formForeign
)

// checkForm judges a parsed POST. Browsers say where a form came from
// (Sec-Fetch-Site, Origin); the token holds where they do not.
func (g *Gateway) checkForm(r *Request, at place) formFault {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		return formForeign
	}
	if origin := r.Header.Get("Origin"); origin != "" && origin != "null" && origin != at.origin {
		return formForeign
	}
	value := pathCookie(r.Request, at, formCookie)
	if value == "" {
		return formNoCookie
	}
	mac, err := base64.RawURLEncoding.Strict().DecodeString(r.PostForm.Get(formField))
	if err != nil || !g.Keyring.VerifyMAC("form", mac, []byte(at.issuer()), []byte(value)) {
		return formForeign
	}
	return formFine
}

// parseForm reads a posted form, from the body alone, which LimitBody bounds.
func parseForm(r *Request) error { return r.ParseForm() }
