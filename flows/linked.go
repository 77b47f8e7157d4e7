package flows

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/page"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/web"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// linkFlow is what the flow of a link names its provider by. Nodes that know of no
// links refuse it instead of signing somebody in.
func linkFlow(name string) string { return "link " + name }

// isOf reports whether the flow leads to a provider.
func (f *providerFlow) isOf(name string) bool {
	if f.Request.Link != nil {
		return f.Provider == linkFlow(name)
	}
	return f.Provider == name
}

// finishLink lets the identity that a provider has just vouched for belong to the
// subject that asked for it, in the session that did. One that belongs to somebody else
// stays there. Nobody is signed in by it: rules and headers go on to see the identity
// that the session came from.
func (g *Gateway) finishLink(w http.ResponseWriter, r *web.Request, at web.Issuer, flow providerFlow, key string, p provider.Redirect) {
	id, ok := g.whoIsHere(w, r, at)
	if !ok {
		return
	}
	link := flow.Request.Link
	if id == nil || id.SessionID.String() != link.Session || id.Subject != link.Subject {
		_ = g.Cache.DeleteFlow(r.Context(), key, web.AddressKey(r.ClientIP))
		g.linkFault(w, r, at, flow, http.StatusForbidden, "You are signed in as somebody else now, or not any more. Nothing was connected.", "access_denied")
		return
	}
	_, err := g.Cache.AdvanceFlow(r.Context(), cache.Transition{Key: key, From: cache.Pending, To: cache.Done, Owner: web.AddressKey(r.ClientIP)})
	if err != nil {
		g.advanceFailed(w, r, at, err)
		return
	}
	claims := flow.Verified.Claims
	ctx, cancel := web.Detached(r.Context())
	defer cancel()
	err = g.Link(ctx, id.Subject, p, claims.ID)
	switch {
	case errors.Is(err, tokenstore.ErrExists):
		g.Logger.WarnContext(ctx, "an identity that belongs to somebody else was not linked", "provider", p.Name(), "user", id.User)
		g.linkFault(w, r, at, flow, http.StatusConflict, "This account of "+p.Title()+" belongs to somebody else here, or you have signed in with it as somebody else before. Nothing was connected.", "identity_taken")
		return
	case errors.Is(err, errLinkTaken):
		g.linkFault(w, r, at, flow, http.StatusConflict, "Another account of "+p.Title()+" is connected already. Disconnect that one first, on your own page.", "already_linked")
		return
	case errors.Is(err, tokenstore.ErrInvalid), errors.Is(err, tokenstore.ErrNotFound):
		g.linkFault(w, r, at, flow, http.StatusForbidden, "This account of "+p.Title()+" cannot be connected.", "access_denied")
		return
	case err != nil:
		g.answers.Unfinished(w, r, err, g.retryURL(at, flow.Request))
		return
	}
	g.keepToken(ctx, &identity.Identity{Claims: claims, Subject: id.Subject}, flow.Verified.Token)
	g.Logger.InfoContext(ctx, "identity linked", "provider", p.Name(), "user", id.User, "subject", id.Subject, "client_ip", r.ClientIP)
	g.Events(ctx, "identity_linked", slog.String("provider", p.Name()), slog.String("user", id.User), slog.String("subject", id.Subject))
	web.RedirectExternal(w, flow.Request.ReturnTo)
}

// Link adds an identity at a provider to a subject. A subject has at most one of each
// provider: there is one token of it. Errors: tokenstore.ErrExists if it belongs to
// another subject, tokenstore.ErrNotFound if there is no such subject.
func (g *Gateway) Link(ctx context.Context, subject string, p provider.Provider, externalID string) error {
	err := g.Store.Link(ctx, subject, tokenstore.Identity{Issuer: p.Issuer(), Subject: externalID})
	if errors.Is(err, tokenstore.ErrConflict) {
		return errLinkTaken
	}
	return err
}

// linkFault says why nothing was linked, and leads back.
func (g *Gateway) linkFault(w http.ResponseWriter, r *web.Request, at web.Issuer, flow providerFlow, status int, message, detail string) {
	user := ""
	if id, _ := g.signedIn(r, at); id != nil {
		user = id.User
	}
	g.Logger.InfoContext(r.Context(), "an identity was not linked", "provider", strings.TrimPrefix(flow.Provider, linkFlow("")), "user", user, "client_id", flow.Request.Client, "reason", detail, "message", message)
	g.Events(r.Context(), "identity_link_failed", slog.String("provider", flow.Provider), slog.String("reason", detail))
	fault := page.Fault{
		Title: g.answers.ProviderTitle(flow.Provider) + " was not connected", Message: message, Detail: detail,
		RetryURL: at.Path, RetryLabel: "Go to your own page",
	}
	if continues(at, flow.Request.ReturnTo) {
		fault.RetryURL, fault.RetryLabel = flow.Request.ReturnTo, "Go back to the application"
	}
	g.Pages.Fault(w, r.Request, status, fault)
}

// linkRefused ends a link that the provider, or the person there, did not allow.
func (g *Gateway) linkRefused(w http.ResponseWriter, r *web.Request, at web.Issuer, flow providerFlow, key, code string) {
	_ = g.Cache.DeleteFlow(r.Context(), key, web.AddressKey(r.ClientIP))
	if p, ok := g.providers[flow.Provider].(provider.Redirect); ok && refusedOurPrompt(flow, code) {
		flow.Request.Tried = promptRank(flow.OwnPrompt)
		g.toProvider(w, r, at, flow.Request, p)
		return
	}
	message := g.answers.ProviderTitle(flow.Provider) + " did not connect your account."
	if code == "access_denied" {
		message = "You cancelled it, or " + g.answers.ProviderTitle(flow.Provider) + " refused."
	}
	g.linkFault(w, r, at, flow, http.StatusForbidden, message, "refused")
}
