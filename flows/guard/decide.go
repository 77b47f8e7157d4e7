package guard

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/accesstoken"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/policy"
	"github.com/gatehouse-auth/gatehouse/flows/session"
	"github.com/gatehouse-auth/gatehouse/flows/stepup"
	"github.com/gatehouse-auth/gatehouse/flows/vault"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// Rules are what a guarded site, or a part of it, asks of a request. The zero Rules
// let everybody pass who is signed in.
type Rules struct {
	// Deciders must all allow.
	Deciders []policy.Decider
	// ProviderToken names the provider whose token for the user goes upstream.
	// Optional.
	ProviderToken string
	// Scopes that the provider's token must cover. Optional.
	Scopes []string
	// Service says that the token is the one that the provider issues for the gateway
	// itself, whoever came.
	Service bool
	// Accept names the providers whose own tokens open the place. Optional.
	Accept []string
	// SelfRegistered lets in the tokens of clients that registered themselves, for the
	// scopes in it. Nil: their tokens do not open the place.
	SelfRegistered *SelfRegistered
	// Require is what must have been proved beyond a sign-in. Optional.
	Require *stepup.Requirement
	// IsOwnHost reports whether pages of a host may open WebSockets at another with the
	// visitor's cookie. Default: those of the same name.
	IsOwnHost func(origin, asked string) bool
}

// Outcome is how a decision turned out.
type Outcome int

// All but Pass are to be answered by [Guard.Answer].
const (
	Pass            Outcome = iota
	Unauthenticated         // nobody is signed in, or that cannot be told now
	Foreign                 // a page of another site opens a WebSocket, or sends what may change something
	Forbidden               // the rules do not let the user in
	NoToken                 // there is no token of the provider
	Insufficient            // the user has to prove more, or anew, who they are
	NoScope                 // the access token lacks a scope
)

// Decision is what becomes of a request.
type Decision struct {
	Outcome Outcome
	// Identity of the user; nil if Unauthenticated.
	Identity *identity.Identity
	// Token of the provider of the rules, for the Authorization of the request that
	// goes upstream. It is a secret.
	Token vault.Access
	rules *Rules
	err   error
}

// IsAway reports whether there is no token of the provider now because the provider
// or a store does not answer.
func (d Decision) IsAway() bool {
	return d.Outcome == NoToken && (d.rules.Service || ProviderTokenIsAway(d.err))
}

// IsNobody reports whether nobody is signed in, which is known, and nothing is wrong with
// what the request brought.
func (d Decision) IsNobody() bool {
	return d.Outcome == Unauthenticated && errors.Is(d.err, session.ErrNoSession)
}

// Decide decides about a request of which id and err are what [Guard.Authenticate]
// returned. That is asked once, since a proof of possession is good for one question.
// Where the request may pass, our credentials have been removed from it. A warm session
// costs no I/O.
func (g *Guard) Decide(r *web.Request, rules *Rules, id *identity.Identity, err error) Decision {
	if errors.Is(err, session.ErrNoSession) && len(rules.Accept) > 0 {
		id, err = g.accept(r, rules)
	}
	switch {
	case errors.Is(err, errBarred):
		return Decision{Outcome: Forbidden, Identity: id}
	case err != nil:
		return Decision{Outcome: Unauthenticated, err: err}
	}
	if rules.isForeign(r, id) {
		return Decision{Outcome: Foreign, Identity: id}
	}
	d := g.DecideAgain(r, rules, id)
	if d.Outcome != Forbidden {
		g.StripCredentials(r.Request, id)
	}
	return d
}

// DecideAgain is Decide for further rules that a request meets which others have let
// pass.
func (g *Guard) DecideAgain(r *web.Request, rules *Rules, id *identity.Identity) Decision {
	id, welcome := rules.welcomes(id)
	if !welcome || !rules.acceptsHere(id) {
		return Decision{Outcome: Unauthenticated, err: ErrToken}
	}
	d := Decision{Identity: id, rules: rules}
	for _, decider := range rules.Deciders {
		if !decider.Allows(id) {
			d.Outcome = Forbidden
			return d
		}
	}
	if outcome, found := g.stepsUp(rules, id); found {
		d.Outcome = outcome
		return d
	}
	if rules.ProviderToken == "" {
		return d
	}
	if rules.Service {
		d.Token, d.err = g.serviceToken(r.Context(), rules.ProviderToken, rules.Scopes)
	} else {
		d.Token, d.err = g.ProviderToken(r.Context(), id, rules.ProviderToken, rules.Scopes...)
	}
	if d.err != nil {
		d.Outcome = NoToken
	}
	return d
}

// Answer answers a request that does not pass.
func (g *Guard) Answer(w http.ResponseWriter, r *web.Request, d Decision) {
	switch d.Outcome {
	case Pass:
	case Unauthenticated:
		g.Challenge(w, r, d.err)
	case Foreign:
		g.refuseForeign(w, r, d.Identity)
	case Forbidden:
		g.Forbid(w, r, d.Identity)
	case Insufficient:
		g.challengeStep(w, r, d.Identity, d.rules.Require)
	case NoScope:
		g.needsScope(w, r, d.Identity, d.rules.Require)
	case NoToken:
		if d.rules.Service {
			g.serviceTokenAway(w, r, d.rules.ProviderToken, d.err)
			return
		}
		g.ChallengeProvider(w, r, d.Identity, d.rules.ProviderToken, d.err, d.rules.Scopes...)
	}
}

func (g *Guard) refuseForeign(w http.ResponseWriter, r *web.Request, id *identity.Identity) {
	web.NoStore(w)
	origin := r.Header.Get("Origin")
	g.logRefusal(r, "a guard refused what a page of another site sends", "user", id.User, "provider", id.Provider, "origin", origin[:min(len(origin), 255)],
		"cure", "if that page is yours, list its origin: cors")
	what := "Pages of other sites may not send this here."
	if _, upgrade := r.Header["Upgrade"]; upgrade || r.Method == http.MethodConnect {
		what = "Pages of other sites may not open WebSockets here."
	}
	http.Error(w, what, http.StatusForbidden)
}

// isForeign reports whether a page of another site makes a request as the visitor that
// no browser asks about beforehand, or holds back: what [web.Request.IsForgeable] says,
// and WebSockets. A program sends no Origin, no page can send an access token here unless
// the browser adds it as a password, and the pages of some origins may call.
func (rules *Rules) isForeign(r *web.Request, id *identity.Identity) bool {
	switch {
	case r.TrustedOrigin != "":
		return false
	case id.TokenID == "":
		return rules.opensForeignWebSocket(r) || r.IsForgeable()
	case id.TokenScheme == accesstoken.SchemeBasic:
		return rules.opensForeignWebSocket(r) || r.IsForgeableByBasic()
	}
	return false
}

// opensForeignWebSocket reports whether a page of another host, or of plain http where
// the site is https, opens a WebSocket with the visitor's cookie. No CORS holds
// such a page back, and SameSite holds no cookie back from another sub-domain,
// so it would speak as the visitor (cross-site WebSocket hijacking; RFC 6455,
// section 10.2). Pages of another port have the cookie anyway: cookies know no
// ports.
func (rules *Rules) opensForeignWebSocket(r *web.Request) bool {
	_, upgrade := r.Header["Upgrade"]
	if !upgrade && r.Method != http.MethodConnect {
		return false
	}
	for _, origin := range r.Header["Origin"] {
		if !rules.isOwnOrigin(origin, r) {
			return true
		}
	}
	return false
}

// isOwnOrigin reports whether an origin is the site's own, by the scheme of the
// request or by https.
func (rules *Rules) isOwnOrigin(origin string, r *web.Request) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "https" && (u.Scheme != "http" || r.Secure()) {
		return false
	}
	if rules.IsOwnHost != nil {
		return rules.IsOwnHost(u.Host, r.Host)
	}
	name := web.HostName(u.Host)
	return name != "" && strings.EqualFold(name, web.HostName(r.Host))
}
