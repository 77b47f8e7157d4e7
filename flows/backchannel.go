package flows

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/session"
	"github.com/gatehouse-auth/gatehouse/flows/web"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// serveBackchannel takes a provider's word that somebody signed out there
// (OpenID Connect Back-Channel Logout, section 2.5). What is signed out is gone
// before the answer is sent; a store that is down is an error, so that the
// provider tries again.
func (g *Gateway) serveBackchannel(w http.ResponseWriter, r *web.Request, at web.Issuer, name string) {
	verifier, ok := g.providers[name].(provider.LogoutVerifier)
	if !ok || !verifier.TellsLogouts() {
		g.answers.NotFound(w, r, at)
		return
	}
	if err := readForm(r, []string{"logout_token"}); err != nil {
		g.writeOAuthError(w, r.Request, err)
		return
	}
	logout, err := verifier.VerifyLogout(r.Context(), r.PostForm.Get("logout_token"))
	switch {
	case errors.Is(err, provider.ErrUnavailable):
		g.Logger.WarnContext(r.Context(), "logout token cannot be checked", "provider", name, "error", err)
		g.writeOAuthError(w, r.Request, &oauthError{Code: "temporarily_unavailable", Status: http.StatusServiceUnavailable, RetryAfter: "10"})
		return
	case err != nil:
		g.Logger.WarnContext(r.Context(), "logout token refused", "provider", name, "error", err)
		g.writeOAuthError(w, r.Request, invalid("invalid_request", "the logout token is not valid"))
		return
	}
	if err := g.providerSignedOut(r.Context(), verifier, logout); err != nil {
		g.writeOAuthError(w, r.Request, err)
		return
	}
	web.NoStore(w)
	w.WriteHeader(http.StatusOK)
}

// providerSignedOut acts on a logout token, once. It does not stop when ctx ends:
// a provider that does not wait for the answer may not send the token again.
func (g *Gateway) providerSignedOut(ctx context.Context, p provider.LogoutVerifier, l provider.Logout) error {
	ctx, cancel := web.Detached(ctx)
	defer cancel()
	used := cache.Count{
		Key:   "logout:" + encode(g.Keyring.MAC("logout token", []byte(p.Issuer()), []byte(l.TokenID))[:18]),
		Limit: 1, Window: max(time.Second, l.ExpiresAt.Sub(g.Now())),
	}
	before, err := g.Cache.Peek(ctx, used)
	if err != nil {
		return err
	}
	if longest(before) > 0 {
		return invalid("invalid_request", "the logout token was used already")
	}
	ended, err := g.endSignedOut(ctx, p.Issuer(), l)
	if err != nil {
		return err
	}
	// Used is what was acted on: where the store did not answer, or this node
	// died, the provider sends the same token again.
	if _, err := g.Cache.Add(ctx, used); err != nil {
		return err
	}
	g.Logger.InfoContext(ctx, "signed out by the provider", "provider", p.Name(), "sessions", ended)
	g.Events(ctx, "logout", slog.String("provider", p.Name()), slog.String("reason", "backchannel"))
	return nil
}

// endSignedOut ends the sessions of whom a logout token names: by the subject,
// or by the provider's session alone.
func (g *Gateway) endSignedOut(ctx context.Context, issuer string, l provider.Logout) (int, error) {
	if l.Subject == "" {
		return g.signouts.EndProviderSession(ctx, issuer, l.Session)
	}
	subject, err := g.Store.FindSubject(ctx, tokenstore.Identity{Issuer: issuer, Subject: l.Subject})
	if errors.Is(err, tokenstore.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return g.signouts.EndOf(ctx, subject.ID, func(row tokenstore.Session, claims identity.Claims) bool {
		// Offline access outlives the sign-in, here as at the provider (OpenID
		// Connect Back-Channel Logout, section 2.7). It ends when the provider
		// refuses the user or the refresh token.
		return claims.Issuer == issuer && !session.IsOffline(row) && (l.Session == "" || claims.ProviderSession == "" || claims.ProviderSession == l.Session)
	})
}
