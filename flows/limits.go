package flows

import (
	"encoding/base64"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/flows/page"
	"github.com/gatehouse-auth/gatehouse/flows/sealed"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// longestAnswer is more than any answer to a client takes beside iss and state, in
// bytes as it is spelt: a code, or an error and what is said of it.
const longestAnswer = 512

// fitsAnswer reports whether the browser can be sent to a request's redirect URI with
// its state and any answer. Both grow as they are spelt there, and no proxy or form
// takes a longer address.
func (g *Gateway) fitsAnswer(at web.Issuer, a authRequest) bool {
	answer := g.errorAnswer(at, a, "", strings.Repeat("x", longestAnswer))
	return page.Opens(web.AnswerURL(a.RedirectURI, answer))
}

// takeState keeps a state that can be given back byte for byte: text, which survives
// every way that a request takes, and not too long. RFC 6749, appendix A.5 has it of
// printable ASCII; clients that put more into it are served.
func (g *Gateway) takeState(at web.Issuer, a *authRequest, state string) *authorizeFault {
	if !utf8.ValidString(state) {
		return &authorizeFault{code: "invalid_request", description: "state is not UTF-8"}
	}
	with := *a
	with.State = state
	if len(state) > maxState || !g.fitsAnswer(at, with) {
		return &authorizeFault{code: "invalid_request", description: "state is too long"}
	}
	a.State = state
	return nil
}

// fits reports whether a request is short enough for every link and form that it
// travels through, sealed, until it is answered. Whoever finds that out later is a
// person who has signed in for nothing.
func (g *Gateway) fits(at web.Issuer, a authRequest) bool {
	// What is added on the way.
	a.Session, a.Consented = uuid.Nil.String(), true
	if a.JKT == "" {
		a.JKT = strings.Repeat("x", base64.RawURLEncoding.EncodedLen(32)) // RFC 9449, section 6.1
	}
	if most := "consent select_account"; len(a.Prompt) < len(most) {
		a.Prompt = most
	}
	a.Own, a.Tried, a.Again = true, len(ownPromptOrder), true
	size := sealed.StringLength(a)
	for _, p := range g.Providers {
		if len(signInURL(at, p.Name(), ""))+size > page.MaxURL {
			return false
		}
	}
	return size <= page.MaxField
}

// fitsLogout is fits and fitsAnswer for a request to sign out, whose state may be any
// text.
func (g *Gateway) fitsLogout(at web.Issuer, l logoutRequest) bool {
	size := sealed.StringLength(l)
	return len(l.State) <= maxState && utf8.ValidString(l.State) && page.Opens(l.afterLogout()) && size <= page.MaxField && len(logoutURL(at, ""))+size <= page.MaxURL
}

// logoutURL is where a sealed request to sign out goes on.
func logoutURL(at web.Issuer, sealed string) string {
	return at.Path + "logout?" + url.Values{logoutField: {sealed}}.Encode()
}
