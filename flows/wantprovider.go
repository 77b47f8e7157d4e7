package flows

import "github.com/gatehouse-auth/gatehouse/flows/provider"

// wantProvider has somebody sign in at a provider although they may be signed in
// already: its token is wanted. It reports whether there is such a provider to be
// sent to.
func (g *Gateway) wantProvider(a *authRequest, name string) bool {
	if _, ok := g.providers[name].(provider.Redirect); !ok {
		return false
	}
	a.Provider = name
	return true
}

// sought is what the person was sent to the provider for, as sessions remember it: the
// provider's name, and behind it the scopes that its token was to have.
func (a *authRequest) sought() *string {
	sought := a.Provider
	if sought != "" && a.ProviderScope != "" {
		sought += " " + a.ProviderScope
	}
	return &sought
}
