package flows

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/policy"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

// logRuledOut says to the operator who was refused by which rule, at which client.
func (g *Gateway) logRuledOut(ctx context.Context, message, clientID string, id *identity.Identity) {
	where, rule := g.refusingRule(g.Clients[clientID], id)
	cure := "if they should be let in, change these rules; explain --user NAME URL shows what each of them found"
	if g.answers.Unverified(&id.Claims) != "" {
		cure += "; the provider does not call their address verified: where only you can set addresses, trust_email DOMAIN"
	}
	g.Logger.WarnContext(ctx, message, "client_id", clientID, "user", id.User, "provider", id.Provider, "rules", where, "rule", rule,
		"cure", cure)
}

// refusingRule is whose rules refuse somebody, and the rule that decides.
func (g *Gateway) refusingRule(c *client.Client, id *identity.Identity) (where, rule string) {
	if !g.Admit(id.Claims) {
		return "provider " + id.Provider, g.AdmitRule(id.Claims)
	}
	if c == nil {
		return "", ""
	}
	here := *id
	here.ClientID = c.ID
	if rules, ok := c.Policy.(*policy.Policy); ok {
		rule = rules.Explain(&here).String()
	}
	return "client " + c.ID, rule
}

// unreadForm is why a form is answered by a page that says to start again.
const unreadForm = "the form cannot be read"

// logForm says that a form was answered with a refusal, since it is not ours, or too
// old.
func (g *Gateway) logForm(r *web.Request, message, clientID string) {
	g.Logger.InfoContext(r.Context(), message, "reason", "the form is not from a page of this browser, or the page is too old", "client_id", clientID,
		"host", r.Host, "origin", shortened(r.Header.Get("Origin")), "client_ip", r.ClientIP)
}
