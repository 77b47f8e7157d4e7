package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/policy"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// Explanation says which rules let somebody in at a URL, or keep them out.
type Explanation struct {
	URL string `json:"url"`
	// People who have the name: with several providers it may be more than one.
	People []ExplainedPerson `json:"people"`
}

// ExplainedPerson is how the rules judge one person.
type ExplainedPerson struct {
	User     string `json:"user"`
	Provider string `json:"provider"`
	// ID is the subject at the provider.
	ID string `json:"id"`
	// SignedInAt is when the session began that says what is known of the person; zero
	// for a local user without one.
	SignedInAt time.Time         `json:"signed_in_at,omitzero"`
	Allowed    bool              `json:"allowed"`
	Policies   []ExplainedPolicy `json:"policies"`
	// Requirements are what the guards require beyond a sign-in. Whoever has not met them
	// is asked again, and may meet them then.
	Requirements []ExplainedRequirement `json:"requirements,omitempty"`
	// Tokens are the providers whose own tokens the guards take.
	Tokens []ExplainedTokens `json:"tokens,omitempty"`
}

// ExplainedRequirement is what a guard requires of a person.
type ExplainedRequirement struct {
	Where   string `json:"where"`
	Require string `json:"require"`
	// Missing is what the person has not proved; "" if nothing.
	Missing string `json:"missing,omitempty"`
	// Scopes that an access token must have, too.
	Scopes []string `json:"scopes,omitempty"`
}

// ExplainedTokens is whether a guard takes the tokens of a provider.
type ExplainedTokens struct {
	Where    string   `json:"where"`
	Provider string   `json:"provider"`
	Audience []string `json:"audience,omitempty"`
	// Missing is why a token of the person's own provider opens nothing; "" if one does.
	Missing string `json:"missing,omitempty"`
}

// ExplainedPolicy is how one policy judges a person.
type ExplainedPolicy struct {
	// Where the policy stands.
	Where    string        `json:"where"`
	Allowed  bool          `json:"allowed"`
	DryRun   bool          `json:"dry_run,omitempty"`
	Optional bool          `json:"optional,omitempty"` // whom it refuses passes as nobody
	Decision string        `json:"decision"`
	Rules    []policy.Step `json:"rules,omitempty"`
}

// adminExplain answers ?user= and ?url=.
func (a *App) adminExplain(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	user, address := query.Get("user"), query.Get("url")
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return badRequest(fmt.Errorf("url %q is not a URL of a guarded site, such as https://app.example.com/admin", address))
	}
	if user == "" {
		return badRequest(errors.New("say who: user=…"))
	}
	guards := a.guardsOf(u)
	if len(guards) == 0 {
		return notFound(fmt.Errorf("no guard stands at %s", u.Host))
	}
	people, err := a.named(r.Context(), user)
	if err != nil {
		return a.adminError("looking for a user", err)
	}
	if len(people) == 0 {
		return notFound(fmt.Errorf("nobody called %q is signed in, and no local user is: what a provider says of somebody is known from the sign-in%s", user, tokensHint(guards)))
	}
	answer := Explanation{URL: u.String()}
	for _, p := range people {
		answer.People = append(answer.People, a.explain(p, guards, u))
	}
	return writeJSON(w, http.StatusOK, answer)
}

// guardsOf are the guards of a URL's site.
func (a *App) guardsOf(u *url.URL) []*Guard {
	a.guardsMu.Lock()
	defer a.guardsMu.Unlock()
	var found []*Guard
	for _, g := range a.guards {
		if g.knows(u.Host) {
			found = append(found, g)
		}
	}
	return found
}

// person is somebody who has a name, as the latest sign-in or the configuration says.
type person struct {
	claims identity.Claims
	since  time.Time
}

// named finds the people who have a name. Names are sealed in the sessions, so all are
// read.
func (a *App) named(ctx context.Context, user string) ([]person, error) {
	var found []person
	add := func(p person) {
		for _, known := range found {
			if known.claims.Issuer == p.claims.Issuer && known.claims.ID == p.claims.ID {
				return
			}
		}
		found = append(found, p)
	}
	query := tokenstore.SessionQuery{All: true, Limit: tokenstore.MaxPage}
	for {
		rows, err := a.shared.store.ListSessions(ctx, query)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			query.Before = row.ID
			if !row.RevokedAt.IsZero() || row.Suspended || !row.Now.Before(row.EndsAt()) {
				continue
			}
			claims, err := a.shared.sessions.Claims(row)
			if (err == nil || errors.Is(err, provider.ErrGone)) && strings.EqualFold(claims.User, user) {
				add(person{claims, row.CreatedAt})
			}
		}
		if len(rows) < query.Limit {
			break
		}
	}
	for _, p := range a.providers {
		if local, ok := p.(provider.Lister); ok {
			for _, id := range local.IDs() {
				if claims, err := local.Current(identity.Claims{Issuer: p.Issuer(), ID: id}); err == nil && strings.EqualFold(claims.User, user) {
					add(person{claims: claims})
				}
			}
		}
	}
	return found, nil
}

// explain judges a person by the provider's own rules, and by those of the guards that
// a request for the URL must pass.
func (a *App) explain(p person, guards []*Guard, u *url.URL) ExplainedPerson {
	id := &identity.Identity{Claims: p.claims, ClientID: hostName(u.Host)}
	answer := ExplainedPerson{User: id.User, Provider: id.Provider, ID: id.ID, SignedInAt: p.since, Allowed: true}
	judge := func(p ExplainedPolicy, rules *policy.Policy) {
		d := rules.Explain(id)
		p.Allowed, p.Decision, p.Rules = d.Allowed, d.String(), rules.Trace(id)
		answer.Policies = append(answer.Policies, p)
		answer.Allowed = answer.Allowed && (d.Allowed || p.DryRun || p.Optional)
	}
	if rules := a.callers[id.Provider]; rules != nil {
		judge(ExplainedPolicy{Where: "provider " + id.Provider}, rules)
	}
	for _, g := range guards {
		a.explainGuard(g, u, &answer, judge)
		if where, covers := a.place(g, u); covers {
			answer.require(where, g, &p.claims)
			a.explainTokens(&answer, where, g)
		}
	}
	return answer
}

func (a *App) explainGuard(g *Guard, u *url.URL, answer *ExplainedPerson, judge func(ExplainedPolicy, *policy.Policy)) {
	where, covers := a.place(g, u)
	if !covers {
		return
	}
	policies := g.rehearsed
	for _, d := range g.rules.Deciders {
		if p, ok := d.(*policy.Policy); ok {
			policies = append(policies, p)
		}
	}
	for _, p := range policies {
		judge(ExplainedPolicy{Where: where, DryRun: g.DryRun, Optional: g.Optional}, p)
	}
	if len(policies) == 0 {
		answer.Policies = append(answer.Policies, ExplainedPolicy{Where: where, Allowed: true, Decision: "allowed: it has no rules, and everybody who is signed in may enter"})
	}
}

// place is what a guard is called, and whether a request for a URL must sign in there, as
// far as that can be told.
func (a *App) place(g *Guard, u *url.URL) (where string, covers bool) {
	where = "a guard of " + hostName(u.Host)
	covers, err := a.covers(g, u)
	if err != nil {
		return where + ", whose matcher cannot be judged by a URL alone", true
	}
	return where, covers
}

// covers reports whether a GET request for a URL must sign in at a guard.
func (a *App) covers(g *Guard, u *url.URL) (bool, error) {
	if len(g.matchers) == 0 {
		return true, nil
	}
	server := a.serverOf(g)
	if server == nil {
		return false, errors.New("the guard's server is not known")
	}
	r := &http.Request{
		Method: http.MethodGet, URL: &url.URL{Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery}, Host: u.Host, Header: http.Header{},
		RequestURI: u.RequestURI(), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, RemoteAddr: "127.0.0.1:0",
	}
	if r.URL.Path == "" {
		r.URL.Path = "/"
	}
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), nil, server)
	return g.mustSignIn(r)
}

// serverOf is the server that a guard stands in, or nil.
func (a *App) serverOf(g *Guard) *caddyhttp.Server {
	a.guardsMu.Lock()
	defer a.guardsMu.Unlock()
	for server, f := range a.fronts {
		if slices.Contains(f.guards, g) {
			return server
		}
	}
	return nil
}
