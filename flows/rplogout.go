package flows

import (
	"net/http"
	"net/url"

	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/sealed"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// logoutRequest is what a client asks for when it signs a person out (OpenID
// Connect RP-Initiated Logout). The session cookie is the authority; the hint says
// which client asks and whom it means, so that whoever has an ID token signs nobody
// out without their browser.
type logoutRequest struct {
	RedirectURI string `json:"u,omitempty"`
	State       string `json:"s,omitempty"`
	Client      string `json:"c,omitempty"`
	// Subject and Session that the hint names, or "".
	Subject string `json:"b,omitempty"`
	Session string `json:"i,omitempty"`
}

// parseLogout reads the parameters of a logout request. What it does not know
// or like it leaves out: the person is asked all the same.
func (g *Gateway) parseLogout(at web.Issuer, params url.Values) logoutRequest {
	if sealed := params.Get(logoutField); sealed != "" {
		return g.openLogout(at, sealed)
	}
	if l, ok := g.fromProvider(at, params); ok {
		return l
	}
	var l logoutRequest
	if g.Keys == nil || web.Repeated(params, "id_token_hint", "client_id", "post_logout_redirect_uri", "state") != "" {
		return l
	}
	c, hint := g.readLogoutHint(at, params.Get("id_token_hint"))
	if named := params.Get("client_id"); named != "" {
		if c != nil && c.ID != named {
			return l
		}
		c = g.Clients[named]
	}
	if c == nil {
		return l
	}
	l.Client, l.Subject, l.Session = c.ID, hint.Subject, hint.SessionID
	asked := l
	asked.RedirectURI, asked.State = params.Get("post_logout_redirect_uri"), params.Get("state")
	if asked.RedirectURI != "" && c.AllowsPostLogoutRedirect(asked.RedirectURI) && g.fitsLogout(at, asked) {
		return asked
	}
	return l
}

// readLogoutHint reads an ID token of ours: the client that it was issued to, and whom
// it names. It may have expired. One that cannot be read names nobody.
func (g *Gateway) readLogoutHint(at web.Issuer, raw string) (*client.Client, hintClaims) {
	if raw == "" {
		return nil, hintClaims{}
	}
	claims, err := g.hinted(at, raw)
	if err != nil {
		return nil, hintClaims{}
	}
	return g.Clients[claims.Audience[0]], *claims
}

// logoutField holds a request that was parsed before.
const logoutField = "request"

// sealLogout seals a request for its way through the browser; "" if nothing is
// asked for.
func (g *Gateway) sealLogout(at web.Issuer, l logoutRequest) string {
	if l == (logoutRequest{}) {
		return ""
	}
	return sealed.SealString(g.Keyring, "logout request", []byte(at.ID()), l)
}

// openLogout opens what sealLogout made at the same place; anything else asks
// for nothing.
func (g *Gateway) openLogout(at web.Issuer, request string) logoutRequest {
	l, err := sealed.OpenString[logoutRequest](g.Keyring, "logout request", []byte(at.ID()), request)
	if err != nil {
		return logoutRequest{}
	}
	return l
}

// afterLogout is where the browser goes when the session has ended, or "".
func (l logoutRequest) afterLogout() string {
	if l.RedirectURI == "" || l.State == "" {
		return l.RedirectURI
	}
	u, err := url.Parse(l.RedirectURI)
	if err != nil {
		return ""
	}
	query := u.Query()
	query.Set("state", l.State)
	u.RawQuery = query.Encode()
	return u.String()
}

// logoutParams are the parameters of a GET or of a client's own POST.
func logoutParams(r *web.Request) (url.Values, error) {
	if r.Method == http.MethodPost {
		err := r.ParseForm()
		return r.PostForm, err
	}
	return r.Query()
}
