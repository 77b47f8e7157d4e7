package flows

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows/authcode"
	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/handle"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/oautherror"
	"github.com/gatehouse-auth/gatehouse/flows/session"
	"github.com/gatehouse-auth/gatehouse/flows/web"
)

func init() {
	register(client.GrantCode, servedGrant{serve: (*Gateway).grantCode, parameters: []string{"code", "redirect_uri", "code_verifier"}})
}

// grantCode redeems an authorization code (RFC 6749, section 4.1.3): one round
// trip to the cache, one to the store. Everything is compared in the step that
// takes the code, so a wrong attempt consumes nothing.
func (g *Gateway) grantCode(ctx context.Context, req *endpointRequest) (*tokenResponse, error) {
	form := req.PostForm
	if form.Get("code") == "" {
		return nil, invalid("invalid_request", "code is missing")
	}
	id, secret, err := handle.ParseCode(form.Get("code"))
	if err != nil {
		return nil, invalidGrant()
	}
	challenge := ""
	if form.Has("code_verifier") {
		if !client.ValidVerifier(form.Get("code_verifier")) {
			return nil, invalidGrant()
		}
		challenge = client.ChallengeS256(form.Get("code_verifier"))
	}
	if form.Has("resource") {
		// What was authorised is sealed in the flow: look before consuming.
		if err := g.mayNarrow(ctx, req, authcode.Key(id)); err != nil {
			return nil, err
		}
	}
	proofs := [][]byte{authcode.Proof(secret, req.at.ID(), req.client.ID, form.Get("redirect_uri"), challenge, "")}
	if req.proof.JKT != "" {
		proofs = append(proofs, authcode.Proof(secret, req.at.ID(), req.client.ID, form.Get("redirect_uri"), challenge, req.proof.JKT))
	}
	t := req.redeeming(g, id, authcode.Key(id))
	err = t.Redeem(ctx, proofs, web.AddressKey(req.ClientIP))
	if errors.Is(err, cache.ErrUsed) {
		return nil, g.codeReused(ctx, req, t)
	}
	if err != nil {
		return nil, err
	}
	h, err := t.Grant()
	if err != nil || h.Client != req.client.ID {
		return nil, invalidGrant()
	}
	answer, err := g.startSession(ctx, req, t, h)
	if t.Spent(err) {
		return nil, g.codeReused(ctx, req, t)
	}
	return answer, err
}

// codeReused answers the right client with the right verifier that comes when
// somebody has the session already.
func (g *Gateway) codeReused(ctx context.Context, req *endpointRequest, t *authcode.Redemption) error {
	revoked, err := t.Replayed(ctx)
	if err != nil {
		return err
	}
	if revoked {
		g.Logger.WarnContext(ctx, "authorization code was used twice", "client_id", req.client.ID, "session", t.ID.String())
		g.Events(ctx, "code_reuse_detected")
	}
	return invalidGrant()
}

// mayNarrow checks that the resources named at the token endpoint are among
// those that were authorised, before a code or device code is consumed. Of one
// that cannot be redeemed now, the redemption will tell.
func (g *Gateway) mayNarrow(ctx context.Context, req *endpointRequest, key string) error {
	flow, err := g.Cache.Flow(ctx, key)
	switch {
	case errors.Is(err, cache.ErrUnavailable):
		return err
	case err != nil, flow.State != cache.Ready:
		return nil
	}
	h, err := g.codes.Open(flow)
	if err != nil || h.Client != req.client.ID {
		return invalidGrant() // what another client was granted is not told
	}
	_, err = g.narrow(req, h.Resource)
	return err
}

// narrow returns the resources that this answer's access token is for: those
// asked for now, which must be among the granted, else all of them. A first-party
// client that was granted none in particular may ask for any that it may have.
func (g *Gateway) narrow(req *endpointRequest, granted []string) ([]string, error) {
	asked, err := g.allowedResources(req.at, req.client, req.PostForm["resource"])
	if err != nil || len(asked) == 0 {
		return granted, err
	}
	had := len(granted) > 0
	if granted = g.stillTargets(req, granted); had && len(granted) == 0 { // which spells them as those asked for
		return nil, invalid("invalid_target", "the client may not ask for what was authorised any more")
	}
	if len(granted) == 0 && !req.client.FirstParty {
		// Nobody was asked about more than this.
		granted = append(slices.Clone(audience(req.at, req.client, nil)), req.at.ID())
	}
	if len(granted) > 0 && !client.Subset(asked, granted) {
		return nil, invalid("invalid_target", "that resource was not authorised")
	}
	return asked, nil
}

// startSession creates the session that a redeemed code or device code stands
// for, and its first tokens. The session has the flow's id: the store refuses
// a second one (tokenstore.ErrExists), whatever the cache has forgotten. Who is
// told to try again gets the code back.
func (g *Gateway) startSession(ctx context.Context, req *endpointRequest, t *authcode.Redemption, h authcode.Grant) (*tokenResponse, error) {
	answer, err := g.issue(ctx, req, t, h)
	if oautherror.IsPassing(err) {
		t.GiveBack(ctx)
	}
	return answer, err
}

func (g *Gateway) issue(ctx context.Context, req *endpointRequest, t *authcode.Redemption, h authcode.Grant) (*tokenResponse, error) {
	if err := g.judgeNow(req, &h); err != nil {
		return nil, err
	}
	resource, err := g.narrow(req, h.Resource)
	if err != nil {
		return nil, err
	}
	if err := g.access.SpendProof(ctx, req.proof); err != nil {
		return nil, err
	}
	offline := slices.Contains(h.Scope, client.OfflineAccess) && req.client.Allows(client.GrantRefresh)
	start := session.Start{
		Parent: h.Portal, Subject: h.Subject, ClientID: req.client.ID, Issuer: req.at.ID(), Scope: strings.Join(h.Scope, " "),
		Resource: h.Resource, Claims: h.Claims, UserAgent: req.UserAgent(), Cnf: req.refreshKey(), Sought: new(string),
		// Offline access outlives the browser's sign-in (OpenID Connect Core,
		// section 11), but nobody obtains it of one that has ended.
		Detached: offline,
	}
	t.Fill(&start)
	started, err := g.Sessions.Handover(ctx, start)
	if err != nil {
		return nil, err
	}
	g.signedInEvent(req.Request, started)
	of := grantee{
		client: req.client, subject: h.Subject, session: t.ID.String(), claims: h.Claims, scope: h.Scope,
		resource: resource, nonce: h.Nonce, jkt: req.proof.JKT, ends: started.ExpiresAt,
	}
	answer, err := g.tokens(req.at, of)
	if err != nil {
		return nil, err
	}
	if offline || givesSessionTokens(req.client) {
		answer.RefreshToken = handle.MintRefresh(g.Keyring, req.at.GrantIssuer(), handle.Handle{ID: t.ID, Secret: started.Secret, Generation: 0})
	}
	return answer, nil
}

// judgeNow holds a code, which may be of an earlier configuration, to what the client
// may have as it is configured now: its scopes, its resources, and the people whom its
// policy allows.
func (g *Gateway) judgeNow(req *endpointRequest, h *authcode.Grant) error {
	granted := h.Scope
	h.Scope = g.limited(req.at, req.client, h.Resource).StillAllowed(granted)
	if req.client.RefreshTokens == client.RefreshSession {
		h.Scope = client.WithoutOffline(h.Scope)
	}
	if len(h.Scope) == 0 && len(granted) > 0 {
		return invalid("invalid_scope", "the client may not have what was authorised any more")
	}
	targets := g.stillTargets(req, h.Resource)
	if len(targets) == 0 && (len(h.Resource) > 0 || req.client.SelfRegistered) {
		return invalid("invalid_target", "the client may not ask for what was authorised any more")
	}
	h.Resource = targets
	id := &identity.Identity{Claims: h.Claims, Subject: h.Subject, SessionID: h.Portal, ClientID: req.client.ID}
	if !g.mayUse(req.client, id) {
		g.logRuledOut(req.Context(), "policy refuses a client whose code is redeemed", req.client.ID, id)
		return invalidGrant()
	}
	return nil
}
