package web

import (
	"encoding/base64"
	"net/http"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/keyring"
	"github.com/gatehouse-auth/gatehouse/flows/page"
)

// FormField is the name of the field that holds a form's token.
const FormField = "form"

// FormToken ties a form to the browser that it was shown in: a value in a
// cookie, and its MAC in a hidden field. Without it another site could sign
// somebody in as somebody else, or sign them out.
func FormToken(k *keyring.Keyring, w http.ResponseWriter, r *http.Request, at Issuer) page.Field {
	value := PathCookie(r, at, formCookie)
	if raw, err := base64.RawURLEncoding.Strict().DecodeString(value); err != nil || len(raw) != 16 {
		value = base64.RawURLEncoding.EncodeToString(k.Random(16))
	}
	SetPathCookie(w, at, formCookie, value, 24*FlowValidity)
	mac := k.MAC("form", []byte(at.ID()), []byte(value))
	return page.Field{Name: FormField, Value: base64.RawURLEncoding.EncodeToString(mac)}
}

// FormFault is what is wrong with a posted form's origin.
type FormFault int

// What may be wrong: nothing, the browser kept no cookie, or the form is not from
// the page that it was shown in.
const (
	FormFine FormFault = iota
	FormNoCookie
	FormForeign
)

// CheckForm judges a parsed POST. Browsers say where a form came from
// (Sec-Fetch-Site, Origin); the token holds where they do not.
func CheckForm(k *keyring.Keyring, r *Request, at Issuer) FormFault {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		return FormForeign
	}
	if origin := r.Header.Get("Origin"); origin != "" && origin != "null" && origin != at.Origin {
		return FormForeign
	}
	value := PathCookie(r.Request, at, formCookie)
	if value == "" {
		return FormNoCookie
	}
	mac, err := base64.RawURLEncoding.Strict().DecodeString(r.PostForm.Get(FormField))
	if err != nil || !k.VerifyMAC("form", mac, []byte(at.ID()), []byte(value)) {
		return FormForeign
	}
	return FormFine
}

// FlowValidity is how long a person has to finish a sign-in that was begun.
const FlowValidity = 10 * time.Minute
