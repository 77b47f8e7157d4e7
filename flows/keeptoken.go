package flows

import (
	"context"
	"errors"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/web"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
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
		return
	}
	g.checkLinked(ctx, who)
}

// checkLinked removes the token again if the account was unlinked meanwhile: an unlink
// removes what it finds once the account has gone, and so one of the two sees it.
func (g *Gateway) checkLinked(ctx context.Context, who *identity.Identity) {
	owner, err := g.Store.FindSubject(ctx, tokenstore.Identity{Issuer: who.Issuer, Subject: who.ID})
	if err == nil && owner.ID == who.Subject {
		return
	}
	if err == nil || errors.Is(err, tokenstore.ErrNotFound) {
		if err = g.finishUnlink(ctx, who.Subject); errors.Is(err, tokenstore.ErrNotFound) {
			return
		}
	}
	if err != nil {
		g.Logger.WarnContext(ctx, "whether an account was unlinked during a sign-in could not be told; if it was, unlink it again",
			"provider", who.Provider, "user", who.User, "subject", who.Subject, "error", err)
	}
}
