package flows

import (
	"context"
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

// Agents lists those that a subject let in, the last used first. at is the issuer that
// they registered at; the zero one is the portal.
func (g *Gateway) Agents(ctx context.Context, at web.Issuer, subject string) ([]Agent, error) {
	if at.Origin == "" {
		at = g.portal
	}
	consents, err := g.Store.Consents(ctx, subject)
	if err != nil {
		return nil, err
	}
	return g.agentsOf(ctx, at, subject, consents)
}

func (g *Gateway) agentsOf(ctx context.Context, at web.Issuer, subject string, consents []tokenstore.Consent) ([]Agent, error) {
	var all []Agent
	of := func(clientID string) *Agent {
		for i := range all {
			if all[i].ClientID == clientID {
				return &all[i]
			}
		}
		all = append(all, g.describe(at, Agent{Subject: subject, ClientID: clientID}))
		return &all[len(all)-1]
	}
	for _, consent := range consents {
		if !g.isSelfRegistered(consent.ClientID) {
			continue
		}
		a := of(consent.ClientID)
		for _, s := range consent.Scope {
			if resource, ok := strings.CutPrefix(s, resourceConsent); ok {
				a.Resources = merged(a.Resources, []string{resource})
			}
		}
	}
	query := tokenstore.SessionQuery{Subject: subject, Limit: 500}
	for {
		rows, err := g.Store.ListSessions(ctx, query)
		if err != nil {
			return nil, err
		}
		for i := range rows {
			query.Before = rows[i].ID
			if g.isSelfRegistered(rows[i].ClientID) {
				of(rows[i].ClientID).count(&rows[i])
			}
		}
		if len(rows) < query.Limit {
			break
		}
	}
	slices.SortStableFunc(all, func(a, b Agent) int { return b.LastUsed.Compare(a.LastUsed) })
	return all, nil
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

// describe says who a client is, as far as its id does: nothing is fetched for a list.
func (g *Gateway) describe(at web.Issuer, a Agent) Agent {
	a.Name = g.agentTitle(at, a.ClientID)
	if registration.IsDocument(a.ClientID) {
		a.Host = documentHost(a.ClientID)
	} else if r := registration.Open(g.Keyring, at.ID(), a.ClientID, g.Now()); r != nil {
		a.Host = answerHost(r.RedirectURIs[0])
	}
	return a
}

// EndAgent ends what a subject allowed a client that registered itself, and all that it
// got by it. [tokenstore.ErrNotFound] if there was nothing.
func (g *Gateway) EndAgent(ctx context.Context, subject, clientID string) error {
	if !g.isSelfRegistered(clientID) {
		return tokenstore.ErrNotFound
	}
	return g.withdraw(ctx, subject, clientID)
}

// homeAgents are the agents on a person's own page.
func (g *Gateway) homeAgents(ctx context.Context, at web.Issuer, subject string, consents []tokenstore.Consent, p *page.Home) error {
	known := slices.ContainsFunc(consents, func(c tokenstore.Consent) bool { return g.isSelfRegistered(c.ClientID) })
	if !known && !g.registers(at) {
		return nil
	}
	agents, err := g.agentsOf(ctx, at, subject, consents)
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
