package flows

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/page"
	"github.com/google/uuid"
)

// serveAuthorize is the authorization endpoint (RFC 6749, section 3.1). Its
// clients are the guarded sites of this configuration.
func (g *Gateway) serveAuthorize(w http.ResponseWriter, r *Request) {
	query := r.query()
	if name := repeated(query, "response_type", "client_id", "redirect_uri", "state", "code_challenge", "code_challenge_method", "prompt", "scope"); name != "" {
		g.badAuthorize(w, r, "The parameter "+name+" is there twice.")
		return
	}
	a := authRequest{
		Client: query.Get("client_id"), RedirectURI: query.Get("redirect_uri"), State: query.Get("state"),
		Challenge: query.Get("code_challenge"), Prompt: promptOf(query), Begun: g.Now().Unix(),
	}
	// Never redirect on a bad client or redirect URI (RFC 6749, 4.1.2.1).
	if !g.isSite(a.Client, a.RedirectURI) {
		g.badAuthorize(w, r, "The address to return to is not one of a site that this portal serves.")
		return
	}
	if code := siteRequestFault(query, a); code != "" {
		g.toClient(w, r, a, g.errorAnswer(a, code))
		return
	}
	if a.Prompt == "" {
		if id := g.signedIn(r, g.portal); id != nil {
			g.sendCode(w, r, g.portal, a, id, uuid.Nil, false)
			return
		}
	}
	g.offer(w, r, g.portal, a, "")
}

// siteRequestFault judges what a site asks for.
func siteRequestFault(query url.Values, a authRequest) string {
	switch {
	case query.Get("response_type") != "code":
		return "unsupported_response_type"
	case query.Get("code_challenge_method") != "S256", len(a.Challenge) != 43:
		return "invalid_request" // RFC 7636, S256 only
	case len(a.State) > 4096:
		return "invalid_request"
	}
	return ""
}

func (g *Gateway) errorAnswer(a authRequest, code string) url.Values {
	answer := url.Values{"error": {code}, "iss": {g.portal.issuer()}}
	if a.State != "" && len(a.State) <= 4096 {
		answer.Set("state", a.State)
	}
	return answer
}

// isSite tells whether a client is a guarded site and a redirect URI its own:
// ORIGIN/.gatehouse/callback, byte for byte.
func (g *Gateway) isSite(client, redirectURI string) bool {
	origin, ok := strings.CutSuffix(redirectURI, Prefix+"callback")
	if !ok {
		return false
	}
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || u.Scheme+"://"+u.Host != origin || clientOf(u.Host) != client {
		return false
	}
	for _, p := range g.sites {
		if p.matches(u.Scheme, u.Host) {
			return true
		}
	}
	return false
}

func (g *Gateway) badAuthorize(w http.ResponseWriter, r *Request, message string) {
	g.Logger.WarnContext(r.Context(), "authorization request refused", "reason", message, "client_ip", r.Client)
	g.Pages.Fault(w, r.Request, http.StatusBadRequest, page.Fault{
		Title: "This link cannot be used", Message: message, Detail: "invalid_request",
	})
}
