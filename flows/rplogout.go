package flows

import (
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/gatehouse-auth/gatehouse/flows/client"
)

// logoutRequest is what a client asks for when it signs a person out (OpenID
// Connect RP-Initiated Logout). The session cookie is the authority; the hint
// only names the client, so that an old one is no licence to sign out.
type logoutRequest struct {
	RedirectURI string `json:"u,omitempty"`
	State       string `json:"s,omitempty"`
	Client      string `json:"c,omitempty"`
}

// parseLogout reads the parameters of a logout request. What it does not know
// or like it leaves out: the person is asked all the same.
func (g *Gateway) parseLogout(at place, params url.Values) logoutRequest {
	if sealed := params.Get(logoutField); sealed != "" {
		return g.openLogout(at, sealed)
	}
	var l logoutRequest
	if g.Keys == nil || repeated(params, "id_token_hint", "client_id", "post_logout_redirect_uri", "state") != "" {
		return l
	}
	c := g.clientOfHint(at, params.Get("id_token_hint"))
	if named := params.Get("client_id"); named != "" {
		if c != nil && c.ID != named {
			return l
		}
		c = g.Clients[named]
	}
	if c == nil {
		return l
	}
	l.Client = c.ID
	asked := logoutRequest{Client: c.ID, RedirectURI: params.Get("post_logout_redirect_uri"), State: params.Get("state")}
	if asked.RedirectURI != "" && c.AllowsPostLogoutRedirect(asked.RedirectURI) && g.fitsLogout(at, asked) {
		return asked
	}
	return l
}

// clientOfHint is the client that an ID token of ours was issued to.
func (g *Gateway) clientOfHint(at place, hint string) *client.Client {
	if hint == "" {
		return nil
	}
	claims, err := g.hinted(at, hint)
	if err != nil {
		return nil
	}
	return g.Clients[claims.Audience[0]]
}

// logoutField holds a request that was parsed before.
const logoutField = "request"

// sealLogout seals a request for its way through the browser; "" if nothing is
// asked for.
func (g *Gateway) sealLogout(at place, l logoutRequest) string {
	if l.Client == "" {
		return ""
	}
	return g.Keyring.SealString("logout request", []byte(at.issuer()), compact(l))
}

// openLogout opens what sealLogout made at the same place; anything else asks
// for nothing.
func (g *Gateway) openLogout(at place, sealed string) logoutRequest {
	var l logoutRequest
	plain, err := g.Keyring.OpenString("logout request", []byte(at.issuer()), sealed)
	if err != nil || json.Unmarshal(plain, &l) != nil {
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
func logoutParams(r *Request) (url.Values, error) {
	if r.Method == http.MethodPost {
		err := parseForm(r)
		return r.PostForm, err
	}
	return r.query()
}
