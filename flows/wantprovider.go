package flows

import "github.com/gatehouse-auth/gatehouse/flows/provider"

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
