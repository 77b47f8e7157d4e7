package flows

import (
	"net/url"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// Who signs out here may still be signed in at the provider. Where its block says
// sign_out, the browser is sent there when the sessions here have ended (OpenID Connect
// RP-Initiated Logout), and comes back to our page about the sign-out, which goes on to
// where a client wanted. That the provider does not answer keeps nobody signed in here.

// signsOut is the provider of somebody, if people are to be signed out there too.
func (g *Gateway) signsOut(name string) (provider.EndSessioner, bool) {
	p, ok := g.providers[name].(provider.EndSessioner)
	return p, ok && p.SignsOut()
}

// keptIDToken is the ID token, if it is of use for a sign-out or a site is told it. A
// longer one has no place in the flow.
func (g *Gateway) keptIDToken(p provider.Provider, result provider.Result) string {
	const longest = 3 << 10
	end, ok := p.(provider.EndSessioner)
	if !g.KeepIDTokens && (!ok || !end.SignsOut()) || len(result.IDToken) > longest {
		return ""
	}
	return result.IDToken
}

// providerSignOut is where the browser goes to be signed out at the provider, or "".
// The session must not have ended yet.
func (g *Gateway) providerSignOut(r *web.Request, at web.Issuer, id *identity.Identity, asked logoutRequest) string {
	p, ok := g.signsOut(id.Provider)
	if !ok || id.SessionID == uuid.Nil {
		return ""
	}
	back := at
	if g.HasPortal() {
		back = g.portal // whose address is registered at the provider
	}
	idToken, err := g.Sessions.IDToken(r.Context(), id.SessionID)
	if err != nil {
		g.Logger.WarnContext(r.Context(), "the provider's ID token cannot be read, so the provider may ask before it signs out", "provider", p.Name(), "error", err)
	}
	to, err := p.EndSessionURL(r.Context(), idToken, back.URL("logout"), g.sealLogout(back, asked))
	if err != nil || to == "" {
		g.Logger.WarnContext(r.Context(), "somebody who signed out here is not signed out at the provider", "provider", p.Name(), "error", err)
		return ""
	}
	return to
}

// fromProvider is what a sign-out was to go on with, where the browser comes back from
// the provider.
func (g *Gateway) fromProvider(at web.Issuer, params url.Values) (logoutRequest, bool) {
	if !params.Has("state") || params.Has("client_id") || params.Has("id_token_hint") {
		return logoutRequest{}, false
	}
	l := g.openLogout(at, params.Get("state"))
	return l, l != (logoutRequest{})
}
