package caddymodule

import (
	"log/slog"
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/flows"
	"github.com/gatehouse-auth/gatehouse/flows/guard"
	"github.com/gatehouse-auth/gatehouse/flows/reading"
)

// mayPassAsNobody reports whether a request passes a guard that is optional, without
// anybody's name. One that brings a credential of ours which is not valid, or of which
// that cannot be told now, is answered as anywhere: its sender believes to be somebody.
func mayPassAsNobody(d guard.Decision) bool {
	return d.Outcome == guard.Forbidden || d.Outcome == guard.Foreign || d.IsNobody()
}

// takeBack undoes what a guard before this one did for whoever it let in: the provider's
// token and the upgrade are somebody's.
func (v *verdict) takeBack(r *http.Request) {
	if v.bearer {
		v.bearer = false
		delete(r.Header, "Authorization")
	}
	if v.upgraded {
		v.upgraded = false
		reading.StripUpgrade(r.Header)
	}
}

// passAsNobody hands a request on with nobody's name. Guards after this one that are not
// optional refuse whom this one would have refused: all must allow.
func (g *Guard) passAsNobody(w http.ResponseWriter, r *http.Request, gateway *flows.Gateway, v *verdict, next caddyhttp.Handler) error {
	v.upgrade = ""
	if v.id == nil {
		v.hide(gateway, r)
		g.headers.takeAuthorization(r)
		return next.ServeHTTP(v.fitted(w), r)
	}
	if !v.forbidden {
		v.forbidden = true
		g.app.logger.DebugContext(r.Context(), "an optional guard lets a user pass as anonymous", slog.String("user", v.id.User), slog.String("host", r.Host))
	}
	// A guard before this one may have told who it is.
	for _, name := range g.headers.all() {
		delete(r.Header, name)
	}
	g.headers.takeAuthorization(r)
	v.takeBack(r)
	gateway.Guard().StripCredentials(r, v.id)
	return next.ServeHTTP(v.fitted(w), r)
}
