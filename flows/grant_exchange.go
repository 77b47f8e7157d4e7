package flows

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/flows/accesstoken"
	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/guard"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/flows/session"
	"github.com/gatehouse-auth/gatehouse/flows/token"
	"github.com/gatehouse-auth/gatehouse/flows/vault"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

func init() {
	register(client.GrantTokenExchange, servedGrant{serve: (*Gateway).grantExchange, fromVault: true, parameters: []string{
		"subject_token", "subject_token_type", "actor_token", "actor_token_type", "requested_token_type", "audience",
	}})
}

// grantExchange gives a client the access token that a provider issued for a person,
// in exchange for the person's access token of ours (RFC 8693), or for the name of a
// person who lets the client act for them while they are away. The vault refreshes it
// when needed; the refresh token stays there. A warm exchange for a token costs no
// round trip.
func (g *Gateway) grantExchange(ctx context.Context, req *endpointRequest) (*tokenResponse, error) {
	if err := checkExchange(req); err != nil {
		return nil, err
	}
	p, resource, err := g.exchangeTarget(req)
	if err != nil {
		return nil, err
	}
	scope, err := client.ParseScope(req.PostForm.Get("scope"))
	if err != nil {
		return nil, err
	}
	away := req.PostForm.Get("subject_token_type") == client.TypeSubject
	var by delegated
	if away {
		by, err = g.awaySubject(ctx, req, p)
	} else {
		by.who, err = g.exchangeSubject(ctx, req, p)
	}
	if err != nil {
		return nil, err
	}
	who := by.who
	if err := g.access.SpendProof(ctx, req.proof); err != nil {
		return nil, err
	}
	access, err := g.Vault.Obtain(ctx, who.Subject, p.Name(), vault.Want{Scope: scope, Resource: resource})
	if err != nil {
		return nil, g.noProviderToken(ctx, req, who, p, err)
	}
	if err := g.stillWanted(ctx, req, by, p); err != nil {
		return nil, err
	}
	g.delivered(ctx, req.client, who, p, access.Scope, away)
	return g.exchanged(access), nil
}

// stillWanted looks again at what the exchange was allowed by: the provider may have
// been asked for seconds, and what has ended meanwhile lets nothing out any more.
func (g *Gateway) stillWanted(ctx context.Context, req *endpointRequest, by delegated, p provider.Provider) error {
	if by.row.Subject == "" {
		_, err := g.exchangeSubject(ctx, req, p)
		return err
	}
	wanted, err := g.stillActs(ctx, by.row)
	if err != nil || wanted {
		return err
	}
	g.logNotActing(ctx, req.client, p, slog.String("subject", by.row.Subject), "forbidden, unlinked or suspended while the token was had")
	return errNoDelegation(p)
}

// checkExchange refuses what is not an exchange of an access token, or of a person's
// name, for an access token.
func checkExchange(req *endpointRequest) error {
	form, kind := req.PostForm, req.PostForm.Get("subject_token_type")
	switch {
	case form.Get("subject_token") == "":
		return invalid("invalid_request", "subject_token is missing")
	case kind == client.TypeSubject && len(req.client.MayActFor) == 0:
		return invalid("unauthorized_client", "the client may not act for people who are away")
	case kind == client.TypeAccessToken && len(req.client.MayExchange) == 0:
		return invalid("unauthorized_client", "the client may act only for people who are away: subject_token_type must be "+client.TypeSubject)
	case kind != client.TypeAccessToken && kind != client.TypeSubject:
		return invalid("invalid_request", "subject_token_type must be "+client.TypeAccessToken)
	case form.Has("actor_token") || form.Has("actor_token_type"):
		return invalid("invalid_request", "actor_token is not supported: who acts is the client that authenticates")
	case form.Has("requested_token_type") && form.Get("requested_token_type") != client.TypeAccessToken:
		return invalid("invalid_request", "requested_token_type must be "+client.TypeAccessToken)
	}
	return nil
}

// exchangeTarget is the provider that is meant, by its name or issuer as audience or
// resource, or the only one that the client may ask for; and the resource there that
// the token is to be for (RFC 8693, section 2.1).
func (g *Gateway) exchangeTarget(req *endpointRequest) (p provider.Provider, resource string, err error) {
	name := req.PostForm.Get("audience")
	switch resources := req.PostForm["resource"]; {
	case len(resources) > 1:
		return nil, "", invalid("invalid_target", "name at most one resource")
	case len(resources) == 1 && name == "" && slices.ContainsFunc(g.Providers, func(p provider.Provider) bool { return p.Issuer() == resources[0] }):
		name = resources[0]
	case len(resources) == 1 && resources[0] != "": // an empty one is left out (RFC 6749, section 3.2)
		resource = resources[0]
		if _, err := parseResource(resource); err != nil {
			return nil, "", err
		}
	}
	open, may := req.client.MayExchange, req.client.Exchanges
	if req.PostForm.Get("subject_token_type") == client.TypeSubject {
		open, may = req.client.MayActFor, req.client.ActsFor
	}
	if name == "" && len(open) == 1 {
		name = open[0]
	}
	for _, p := range g.Providers {
		if (p.Name() == name || p.Issuer() == name) && may(p.Name()) && g.Vault != nil && g.Vault.Keeps(p.Name()) {
			return p, resource, nil
		}
	}
	if name == "" {
		return nil, "", invalid("invalid_target", "audience is missing: the provider's name")
	}
	return nil, "", invalid("invalid_target", "the client may not have tokens of that provider")
}

// exchangeSubject is the person whose token is wanted. Whatever is wrong with the
// subject token is invalid_request (RFC 8693, section 2.2.2), and unknown, expired,
// revoked and foreign ones look the same.
func (g *Gateway) exchangeSubject(ctx context.Context, req *endpointRequest, p provider.Provider) (*identity.Identity, error) {
	bad := invalid("invalid_request", "the subject token is not valid, or not the client's")
	claims, who, err := g.access.Verify(ctx, req.at, req.PostForm.Get("subject_token"))
	switch {
	case errors.Is(err, session.ErrUnavailable), errors.Is(err, token.ErrNoKey):
		return nil, err
	case err != nil || !concerns(req.client, claims):
		return nil, bad
	case claims.SessionID == "":
		return nil, invalid("invalid_request", "the subject token is a program's own: there is no person behind it")
	case len(claims.Act) > 0:
		return nil, invalid("invalid_request", "the subject token is already a delegated one (act): only the person's own token is accepted")
	case claims.Cnf != nil && claims.Cnf.JKT != req.proof.JKT:
		return nil, accesstoken.ErrProof // RFC 9449, section 7: it is good for who has the key alone
	case req.client.Public && !slices.Contains(strings.Fields(claims.Scope), client.ProviderScope(p.Name())):
		return nil, invalid("invalid_scope", "the person has not allowed that: the subject token lacks the scope "+client.ProviderScope(p.Name()))
	case !g.mayUse(req.client, who):
		g.logRuledOut(ctx, "policy refuses an exchange", req.client.ID, who)
		return nil, bad
	}
	return who, nil
}

// noProviderToken says why there is no token. What only the person can mend is
// interaction_required (OpenID Connect Core, section 3.1.2.6).
func (g *Gateway) noProviderToken(ctx context.Context, req *endpointRequest, who *identity.Identity, p provider.Provider, err error) error {
	switch {
	case errors.Is(err, vault.ErrScope):
		return invalid("invalid_scope", "the person's access at "+p.Name()+" does not cover the scope; they can allow more there")
	case errors.Is(err, vault.ErrResource):
		return invalid("invalid_target", p.Name()+" issues no token for that resource alone")
	case guard.ProviderTokenIsAway(err):
		g.Logger.WarnContext(ctx, "no provider token now", "provider", p.Name(), "client_id", req.client.ID, "user", who.User, "error", err)
		return &oauthError{
			Code: "temporarily_unavailable", Description: "the provider or the token store cannot be asked now", Status: http.StatusServiceUnavailable,
			RetryAfter: guard.RetryAfter(err),
		}
	}
	g.Logger.InfoContext(ctx, "no provider token; the user must sign in there", "provider", p.Name(), "client_id", req.client.ID, "user", who.User, "error", err)
	missing := invalid("interaction_required", "the person must sign in at "+p.Name()+" first")
	if errors.Is(err, tokenstore.ErrNotFound) {
		missing.Description = "the person has never signed in at " + p.Name()
	}
	return missing
}

func (g *Gateway) exchanged(a vault.Access) *tokenResponse {
	answer := &tokenResponse{AccessToken: a.AccessToken, IssuedType: client.TypeAccessToken, TokenType: "Bearer", Scope: a.Scope}
	if !a.ExpiresAt.IsZero() {
		answer.ExpiresIn = max(1, seconds(a.ExpiresAt.Sub(g.Now())))
	}
	return answer
}
