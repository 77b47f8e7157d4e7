package flows

import (
	"net/http"
	"net/url"

	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// authorizeQuery are the parameters of an authorization request.
func authorizeQuery(r *web.Request) (url.Values, error) {
	if r.Method == http.MethodPost {
		err := r.ParseForm()
		return r.PostForm, err
	}
	return r.Query()
}

// malformedAuthorize answers a request that holds a parameter twice, or with
// unread, one that cannot be read. The client is told (RFC 6749, section 4.1.2.1)
// where it and its redirect URI are known: one that is not among what can be read may
// have been sent all the same.
func (g *Gateway) malformedAuthorize(w http.ResponseWriter, r *web.Request, at web.Issuer, query url.Values, unread error, description string) {
	c := g.clientOrSite(at, query.Get("client_id"))
	known := c != nil && !mustPush(c) && !query.Has("request_uri") && web.Repeated(query, "client_id", "redirect_uri") == "" &&
		(unread == nil || query.Has("redirect_uri"))
	var a authRequest
	if known {
		a = requestOf(c, query)
	}
	if !known || !g.isRedirectURI(c, a.RedirectURI) {
		g.badAuthorize(w, r, "In the request "+description+".")
		return
	}
	a.Mode, _ = c.AnswerMode("", a.RedirectURI)
	if modes := query["response_mode"]; len(modes) == 1 {
		a.Mode, _ = c.AnswerMode(modes[0], a.RedirectURI)
	}
	if state := query["state"]; len(state) == 1 {
		_ = g.takeState(at, &a, state[0]) // without it, if it is none
	}
	g.refuseClient(w, r, at, a, "invalid_request", description)
}
