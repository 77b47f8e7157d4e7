package flows

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// keepToken puts the token that a provider gave at a sign-in into the vault, if
// it keeps that provider's. Nobody is kept out because it could not be kept. It is
// kept although the browser may have left: the session is there, and the provider
// would not give the token again.
func (g *Gateway) keepToken(ctx context.Context, who *identity.Identity, token *provider.Token) {
	if g.Vault == nil || !g.Vault.Keeps(who.Provider) {
		return
	}
	switch {
	case token == nil || token.AccessToken == "":
		g.Logger.WarnContext(ctx, "the provider gave no token to keep", "provider", who.Provider, "user", who.User)
		return
	case token.RefreshToken == "" && !token.ExpiresAt.IsZero():
		g.Logger.WarnContext(ctx, "the provider gave no refresh token, so people are sent there again when its token has expired; check that it gives this client one for the scope offline_access, and not only at the first consent",
			"provider", who.Provider, "user", who.User, "expires", token.ExpiresAt)
	}
	ctx, cancel := web.Detached(ctx)
	defer cancel()
	if _, err := g.Vault.Put(ctx, who.Subject, who.Provider, *token); err != nil {
		g.Logger.WarnContext(ctx, "the provider's token could not be kept", "provider", who.Provider, "user", who.User, "error", err)
	}
}
