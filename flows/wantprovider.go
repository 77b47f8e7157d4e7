package flows

import (
	"net/url"

	"github.com/gatehouse-auth/gatehouse/flows/provider"
)

// wantProvider has somebody sign in at a provider although they may be signed in
// already: its token is wanted. It tells whether there is such a provider to be
// sent to.
func (g *Gateway) wantProvider(a *authRequest, name string) bool {
	if _, ok := g.providers[name].(provider.Redirect); !ok {
		return false
	}
	a.Provider = name
	return true
}

// promptFor is the prompt that a provider is asked for. Where its token is
// wanted that is consent: without it, many give no refresh token to somebody who
// has consented before (OpenID Connect Core, section 11). Others take one word
// alone.
func (g *Gateway) promptFor(a *authRequest, p provider.Provider) string {
	if a.Provider == p.Name() {
		return "consent"
	}
	return a.providerPrompt()
}

// providerLoginPath is loginPath by way of a certain provider.
func providerLoginPath(returnTo, name string) string {
	query := url.Values{"provider": {name}}
	if returnTo != "/" {
		query.Set("return_to", returnTo)
	}
	return Prefix + "login?" + query.Encode()
}
