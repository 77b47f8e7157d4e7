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

// providerLoginPath is loginPath by way of a certain provider.
func providerLoginPath(returnTo, name string) string {
	query := url.Values{"provider": {name}}
	if returnTo != "/" {
		query.Set("return_to", returnTo)
	}
	return Prefix + "login?" + query.Encode()
}
