package flows

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/handle"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/session"
	"github.com/gatehouse-auth/gatehouse/flows/web"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

func init() {
	register(client.GrantRefresh, servedGrant{serve: (*Gateway).grantRefresh, parameters: []string{"refresh_token"}})
}

// grantRefresh rotates a refresh token (RFC 6749, section 6; RFC 9700, section
// 4.14): one round trip. A refused refresh consumes nothing.
func (g *Gateway) grantRefresh(ctx context.Context, req *endpointRequest) (*tokenResponse, error) {
	form := req.PostForm
	if form.Get("refresh_token") == "" {
		return nil, invalid("invalid_request", "refresh_token is missing")
	}
	presented, err := handle.ParseRefresh(g.Keyring, req.at.GrantIssuer(), form.Get("refresh_token"))
	if err != nil {
		return nil, invalidGrant()
	}
	scope, err := client.ParseScope(form.Get("scope"))
	if err != nil {
		return nil, err
	}
	if _, err := g.allowedResources(req.at, req.client, form["resource"]); err != nil {
		return nil, err
	}
	if err := g.access.SpendProof(ctx, req.proof); err != nil {
		return nil, err
	}
	rotated, err := g.Sessions.Rotate(ctx, tokenstore.Rotation{
		ID: presented.ID, Generation: presented.Generation, SecretHash: presented.SecretHash(),
		ClientID: req.client.ID, Cnf: req.refreshKey(), Grace: req.client.GraceOf(req.refreshKey() != ""),
	})
	if errors.Is(err, tokenstore.ErrReused) {
		return nil, g.reused(ctx, req, rotated)
	}
	if err != nil {
		return nil, err
	}
	answer, err := g.refreshed(ctx, req, rotated.Session, scope)
	if err != nil {
		// Policy, scope or resource refuse on what the row says: give the
		// generation back before the error is answered.
		if !rotated.Retry {
			if err := g.unrotate(ctx, rotated); err != nil {
				return nil, err
			}
		}
		return nil, err
	}
	answer.RefreshToken = handle.MintRefresh(g.Keyring, req.at.GrantIssuer(), handle.Handle{
		ID: presented.ID, Secret: presented.Secret, Generation: rotated.Session.Generation,
	})
	return answer, nil
}

// refreshed judges what the row says, by what the client may have now, and
// mints the answer.
func (g *Gateway) refreshed(ctx context.Context, req *endpointRequest, s tokenstore.Session, scope []string) (*tokenResponse, error) {
	c := g.limited(req.at, req.client, s.Resource)
	granted := c.StillAllowed(strings.Fields(s.Scope))
	if !mayRefresh(c, s) {
		return nil, invalidGrant()
	}
	if !session.IsOffline(s) && s.Parent != uuid.Nil {
		// It ends with the sign-in, which the refresh is a use of: neither goes idle
		// without the other.
		if _, err := g.Sessions.Live(ctx, s.Parent); err != nil {
			return nil, err
		}
	}
	if req.client.RefreshTokens == client.RefreshSession {
		scope = client.WithoutOffline(scope) // as when it was asked for
	}
	if len(scope) == 0 {
		scope = granted
	} else if !client.Subset(scope, granted) {
		return nil, invalid("invalid_scope", "the scope exceeds what was granted")
	}
	targets := g.stillTargets(req, s.Resource)
	if len(targets) == 0 && (len(s.Resource) > 0 || c.SelfRegistered) {
		return nil, invalid("invalid_target", "the client may not ask for what was authorised any more")
	}
	resource, err := g.narrow(req, targets)
	if err != nil {
		return nil, err
	}
	claims, err := g.Sessions.Claims(s)
	if err != nil {
		return nil, invalidGrant()
	}
	id := &identity.Identity{Claims: claims, Subject: s.Subject, SessionID: s.ID, ClientID: s.ClientID}
	if !g.mayUse(req.client, id) {
		g.logRuledOut(ctx, "policy refuses a refresh", req.client.ID, id)
		return nil, invalidGrant()
	}
	if g.recheck != nil {
		g.recheck.Note(id)
	}
	return g.tokens(req.at, grantee{
		client: req.client, subject: s.Subject, session: s.ID.String(), claims: claims, scope: scope,
		resource: resource, jkt: req.proof.JKT, ends: s.ExpiresAt,
	})
}

// givesSessionTokens reports whether a client is given refresh tokens that end with
// the sign-in.
func givesSessionTokens(c *client.Client) bool {
	return c.RefreshTokens == client.RefreshSession && c.Allows(client.GrantRefresh)
}

// mayRefresh reports whether a client may have refresh tokens of a session's kind, as
// it is configured now: of one with offline_access, which outlives the sign-in, or of
// one that ends with it.
func mayRefresh(c *client.Client, s tokenstore.Session) bool {
	if slices.Contains(strings.Fields(s.Scope), client.OfflineAccess) {
		return c.RefreshTokens != client.RefreshSession && slices.Contains(c.Scopes, client.OfflineAccess)
	}
	return s.Parent != uuid.Nil && c.RefreshTokens != client.RefreshOffline
}

// mayUse reports whether somebody may use a client at all: the providers' own
// rules and the client's policy, as they are now. A rule about a client means this
// one, though somebody comes with the portal's session.
func (g *Gateway) mayUse(c *client.Client, id *identity.Identity) bool {
	if !g.Admit(id.Claims) {
		return false
	}
	if c.Policy == nil {
		return true
	}
	here := *id
	here.ClientID = c.ID
	return c.Policy.Allows(&here)
}

// unrotate gives a generation back, whether or not the client waits for its
// refusal: with the row one ahead of its token it would be taken for a thief
// when the grace is over.
func (g *Gateway) unrotate(ctx context.Context, r tokenstore.RotationResult) error {
	ctx, cancel := web.Detached(ctx)
	defer cancel()
	err := g.Store.UnrotateSession(ctx, r.Session.ID, r.Session.Generation, r.PreviousRotatedAt)
	if errors.Is(err, tokenstore.ErrConflict) {
		return nil // it moved on: somebody else's refresh stands
	}
	return err
}

// reused reports a family that was revoked because an old refresh token came back.
// The revocation is committed, and announced, already.
func (g *Gateway) reused(ctx context.Context, req *endpointRequest, r tokenstore.RotationResult) error {
	g.Logger.WarnContext(ctx, "refresh token was reused; its family is revoked",
		"client_id", req.client.ID, "session", r.Session.ID.String(), "client_ip", req.ClientIP)
	g.Events(ctx, "refresh_reuse_detected")
	return invalidGrant()
}
