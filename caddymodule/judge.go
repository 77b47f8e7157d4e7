package caddymodule

import (
	"log/slog"
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/policy"
)

// ruledBy adds rules that have to allow who enters. With dry_run they are asked, and
// only the log hears of it.
func (g *Guard) ruledBy(p *policy.Policy) {
	if g.DryRun {
		g.rehearsed = append(g.rehearsed, p)
		return
	}
	g.rules.Deciders = append(g.rules.Deciders, p)
}

// rehearse logs what the policies would refuse if the guard had no dry_run.
func (g *Guard) rehearse(r *http.Request, v *verdict) {
	for _, p := range g.rehearsed {
		if !p.Allows(v.id) {
			g.logRefusal(r, v, "a guard with dry_run would refuse a user", p.Explain(v.id).String())
		}
	}
}

// logForbidden names the rule by which somebody is refused.
func (g *Guard) logForbidden(r *http.Request, v *verdict) {
	rule := "what a matcher asks for cannot be read"
	switch callers := g.app.callers[v.id.Provider]; {
	case v.forbidden:
		rule = "those of a guard before, which is optional"
	case callers != nil && !callers.Allows(v.id):
		rule = callers.Explain(v.id).String()
	}
	for _, d := range g.rules.Deciders {
		if p, ok := d.(*policy.Policy); ok && !p.Allows(v.id) {
			rule = p.Explain(v.id).String()
			break
		}
	}
	g.logRefusal(r, v, "a guard refused a user", rule, slog.String("cure", "if they should be let in, change the rules of this guard; explain --user NAME URL shows what each of them found"))
}

func (g *Guard) logRefusal(r *http.Request, v *verdict, message, rule string, more ...slog.Attr) {
	path, _, _ := strings.Cut(v.uri, "?")
	g.app.logger.LogAttrs(r.Context(), slog.LevelInfo, message, append([]slog.Attr{
		slog.String("user", v.id.User), slog.String("provider", v.id.Provider), slog.String("client_id", v.id.ClientID),
		slog.String("host", r.Host), slog.String("path", path), slog.String("rule", rule),
	}, more...)...)
}
