package caddymodule

import (
	"log/slog"
	"net/http"
	"slices"

	"github.com/gatehouse-auth/gatehouse/flows"
	"github.com/gatehouse-auth/gatehouse/flows/session"
)

// tell sets the headers that tell the application who is signed in. If they cannot be
// written for this user, the request is answered and false is returned.
func (g *Guard) tell(w http.ResponseWriter, r *http.Request, gateway *flows.Gateway, v *verdict) (bool, error) {
	g.headers.takeAuthorization(r)
	if err := g.headers.set(r.Header, v.id, &v.slots); err != nil {
		g.app.logger.WarnContext(r.Context(), "the headers for the application cannot be written for a user, who is refused",
			slog.String("user", v.id.User), slog.String("provider", v.id.Provider), slog.String("host", r.Host), slog.Any("error", err))
		v.forbidden = true
		gateway.Guard().Forbid(w, v.request(r), v.id)
		return false, nil
	}
	if g.headers.idToken != "" {
		if token := gateway.IDToken(r.Context(), v.id); token != "" {
			r.Header[g.headers.idToken] = v.slots.fill(token)
		}
	}
	if g.headers.assertion == "" {
		return true, nil
	}
	assertion, err := gateway.Assertion(v.id, r.Host, v.scheme == "https", g.headers.asserts)
	if err != nil {
		g.app.logger.ErrorContext(r.Context(), "an assertion cannot be signed", slog.String("host", r.Host), slog.Any("error", err))
		v.forbidden = true
		gateway.Guard().Challenge(w, v.request(r), session.ErrUnavailable)
		return false, nil
	}
	r.Header[g.headers.assertion] = v.slots.fill(assertion)
	return true, nil
}

// tellsIDTokens reports whether some application is told the providers' ID tokens.
func (a *App) tellsIDTokens() bool {
	return slices.ContainsFunc(a.guards, func(g *Guard) bool { return g.headers.idToken != "" }) || a.headers.idToken != ""
}
