package guard

import (
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/stepup"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// stepsUp is the outcome for somebody whom the rules let in and who has to prove more,
// or whose access token is good for less, than the place demands.
func (g *Guard) stepsUp(rules *Rules, id *identity.Identity) (Outcome, bool) {
	q := rules.Require
	switch {
	case q == nil:
		return Pass, false
	case id.TokenID != "" && !g.Scopes.Covers(id.Scope, q.Scope):
		return NoScope, true
	case !q.IsMet(&id.Claims, g.Now()):
		return Insufficient, true
	}
	return Pass, false
}

// challengeStep answers somebody who is to prove more. A navigation is sent to do so and
// comes back to the very URL; a program with an access token is told what to ask for
// (RFC 9470, section 3), and one of a browser where its person can do so.
func (g *Guard) challengeStep(w http.ResponseWriter, r *web.Request, id *identity.Identity, q *stepup.Requirement) {
	web.LimitBody(w, r.Request, g.BodyTimeout)
	web.NoStore(w)
	if id.TokenID != "" {
		g.insufficient(w, r, id, q, nil)
		return
	}
	step := q.Of(&id.Claims, g.Now())
	sealed := step.Seal(g.Keyring, web.ClientOf(r.Host))
	switch web.CallerOf(r.Request) {
	case web.CallerNavigation:
		if len(r.URI) > web.MaxReturnTo {
			g.cannotReturn(w, r)
			return
		}
		http.Redirect(w, r.Request, web.StepUpPath(r.ReturnTo(), sealed), http.StatusSeeOther)
	case web.CallerHTMX:
		w.Header().Set("HX-Redirect", web.StepUpPath(web.RefererPath(r.Header.Get("HX-Current-URL"), r.Origin()), sealed))
		g.insufficient(w, r, id, q, nil)
	case web.CallerGRPC:
		web.GRPCStatus(w, "16", "sign in again")
	default:
		g.insufficient(w, r, id, q, map[string]string{
			"login_url": r.Origin() + web.StepUpPath(web.RefererPath(r.Referer(), r.Origin()), sealed),
		})
	}
}

func (g *Guard) insufficient(w http.ResponseWriter, r *web.Request, id *identity.Identity, q *stepup.Requirement, more map[string]string) {
	if web.CallerOf(r.Request) == web.CallerGRPC {
		web.GRPCStatus(w, "16", "a stronger or more recent sign-in is required")
		return
	}
	web.SetChallenges(w.Header(), id.TokenScheme, web.ResourceParameter(r), q.Challenge())
	web.Problem(w, http.StatusUnauthorized, "This needs a stronger or more recent sign-in.", more)
}

// needsScope answers a program whose token lacks a scope (RFC 6750, section 3.1). It
// names all that the request needs: who is told one at a time asks its person each time.
func (g *Guard) needsScope(w http.ResponseWriter, r *web.Request, id *identity.Identity, q *stepup.Requirement) {
	web.LimitBody(w, r.Request, g.BodyTimeout)
	web.NoStore(w)
	g.logRefusal(r, "a guard refused a token that lacks a scope", "client_id", id.ClientID, "user", id.User, "provider", id.Provider,
		"rule", "require scope "+strings.Join(q.Scope, " "), "cure", "have the client ask for the scope, and list it in its block")
	if web.CallerOf(r.Request) == web.CallerGRPC {
		web.GRPCStatus(w, "7", "the access token lacks a scope")
		return
	}
	needs := q.Scope
	if len(r.NeedsScope) > 0 {
		needs = r.NeedsScope // by all the guards that the request meets
	}
	scope := strings.Join(needs, " ")
	web.SetChallenges(w.Header(), id.TokenScheme, web.ResourceParameter(r),
		`error="insufficient_scope", error_description="the access token lacks a scope", scope="`+scope+`"`)
	web.Problem(w, http.StatusForbidden, "The access token lacks a scope that is needed here: "+scope+".", nil)
}
