package flows

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/page"
	"github.com/gatehouse-auth/gatehouse/flows/registration"
	"github.com/gatehouse-auth/gatehouse/flows/web"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// Agent is a client that registered itself, and that a person let in.
type Agent struct {
	Subject  string
	ClientID string
	// Name that the client gave itself, and Host where its answers go, or where its
	// document is.
	Name, Host string
	// Resources that it may call.
	Resources []string
	// LastUsed is zero where it has no session.
	Since, LastUsed time.Time
	// Sessions that it has.
	Sessions int
}

// Agents lists those that a subject let in, the last used first; of the empty subject
// everybody's that have a session.
func (g *Gateway) Agents(ctx context.Context, subject string) ([]Agent, error) {
	if subject == "" {
		l := agentList{gateway: g, issuers: g.agentIssuers()}
		return l.sorted(l.addSessions(ctx, tokenstore.SessionQuery{All: true, Limit: 500}))
	}
	consents, err := g.Store.Consents(ctx, subject)
	if err != nil {
		return nil, err
	}
	return g.agentsOf(ctx, subject, consents, g.agentIssuers()...)
}

// agentIssuers are those at which clients may have registered themselves, as far as the
// configuration knows their names.
func (g *Gateway) agentIssuers() []web.Issuer {
	if g.HasPortal() {
		return []web.Issuer{g.portal}
	}
	var all []web.Issuer
	for i := range g.open {
		all = append(all, web.SiteIssuer(strings.TrimSuffix(g.open[i].Origin, "/"), ""))
	}
	return all
}

func (g *Gateway) agentsOf(ctx context.Context, subject string, consents []tokenstore.Consent, issuers ...web.Issuer) ([]Agent, error) {
	l := agentList{gateway: g, issuers: issuers}
	for _, consent := range consents {
		if !g.isSelfRegistered(consent.ClientID) {
			continue
		}
		a := l.of(subject, consent.ClientID)
		for _, s := range consent.Scope {
			if resource, ok := strings.CutPrefix(s, resourceConsent); ok {
				a.Resources = merged(a.Resources, []string{resource})
			}
		}
	}
	return l.sorted(l.addSessions(ctx, tokenstore.SessionQuery{Subject: subject, Limit: 500}))
}

// agentList gathers agents.
type agentList struct {
	gateway *Gateway
	issuers []web.Issuer
	all     []*Agent
	by      map[[2]string]*Agent
}

// of is the agent of a subject and a client.
func (l *agentList) of(subject, clientID string) *Agent {
	key := [2]string{subject, clientID}
	if a := l.by[key]; a != nil {
		return a
	}
	if l.by == nil {
		l.by = make(map[[2]string]*Agent)
	}
	a := &Agent{Subject: subject, ClientID: clientID}
	l.describe(a)
	l.by[key], l.all = a, append(l.all, a)
	return a
}

// addSessions adds the live sessions of a listing.
func (l *agentList) addSessions(ctx context.Context, query tokenstore.SessionQuery) error {
	for {
		rows, err := l.gateway.Store.ListSessions(ctx, query)
		if err != nil {
			return err
		}
		for i := range rows {
			query.Before = rows[i].ID
			if l.gateway.isSelfRegistered(rows[i].ClientID) && rows[i].Err() == nil {
				l.of(rows[i].Subject, rows[i].ClientID).count(&rows[i])
			}
		}
		if len(rows) < query.Limit {
			return nil
		}
	}
}

func (l *agentList) sorted(err error) ([]Agent, error) {
	if err != nil {
		return nil, err
	}
	agents := make([]Agent, 0, len(l.all))
	for _, a := range l.all {
		agents = append(agents, *a)
	}
	slices.SortStableFunc(agents, func(a, b Agent) int { return b.LastUsed.Compare(a.LastUsed) })
	return agents, nil
}

// describe says who a client is, as far as its id does: nothing is fetched for a list.
func (l *agentList) describe(a *Agent) {
	a.Name = unknownAgent
	if registration.IsDocument(a.ClientID) {
		a.Name, a.Host = documentHost(a.ClientID), documentHost(a.ClientID)
		return
	}
	for _, at := range l.issuers {
		if r := registration.Open(l.gateway.Keyring, at.ID(), a.ClientID, l.gateway.Now()); r != nil {
			a.Name, a.Host = agentName(r), answerHost(r.RedirectURIs[0])
			return
		}
	}
}

// count adds a session of the agent's.
func (a *Agent) count(row *tokenstore.Session) {
	a.Sessions++
	a.Resources = merged(a.Resources, row.Resource)
	if a.Since.IsZero() || row.CreatedAt.Before(a.Since) {
		a.Since = row.CreatedAt
	}
	for _, used := range []time.Time{row.CreatedAt, row.RotatedAt, row.SeenAt} {
		if used.After(a.LastUsed) {
			a.LastUsed = used
		}
	}
}

// EndAgent ends what a subject allowed a client that registered itself, and all that it
// got by it; of the empty subject, what everybody did who has a session of it.
// [tokenstore.ErrNotFound] if there was nothing.
func (g *Gateway) EndAgent(ctx context.Context, subject, clientID string) error {
	if !g.isSelfRegistered(clientID) {
		return tokenstore.ErrNotFound
	}
	if subject != "" {
		return g.withdraw(ctx, subject, clientID)
	}
	l := agentList{gateway: g}
	if err := l.addSessions(ctx, tokenstore.SessionQuery{All: true, ClientID: clientID, Limit: 500}); err != nil {
		return err
	}
	if len(l.all) == 0 {
		return tokenstore.ErrNotFound
	}
	for _, a := range l.all {
		if err := g.withdraw(ctx, a.Subject, clientID); err != nil && !errors.Is(err, tokenstore.ErrNotFound) {
			return err
		}
	}
	return nil
}

// homeAgents are the agents on a person's own page.
func (g *Gateway) homeAgents(ctx context.Context, at web.Issuer, subject string, consents []tokenstore.Consent, p *page.Home) error {
	known := slices.ContainsFunc(consents, func(c tokenstore.Consent) bool { return g.isSelfRegistered(c.ClientID) })
	if !known && !g.registers(at) {
		return nil
	}
	agents, err := g.agentsOf(ctx, subject, consents, at)
	if err != nil {
		return err
	}
	for _, a := range agents {
		shown := page.Agent{ID: a.ClientID, Name: a.Name, Host: a.Host, Since: a.Since, LastUsed: a.LastUsed}
		for _, resource := range a.Resources {
			shown.Resources = append(shown.Resources, plainResource(resource))
		}
		p.Agents = append(p.Agents, shown)
	}
	return nil
}

// plainResource is a resource in front of people: its host and path.
func plainResource(resource string) string {
	if u, err := url.Parse(resource); err == nil && u.Host != "" {
		return u.Host + strings.TrimSuffix(u.Path, "/")
	}
	return resource
}
