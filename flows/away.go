package flows

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// awaySessions are how many of a person's sessions are looked at, the newest first, for
// who they are now.
const awaySessions = 10

// recordUse is how exact the time is that people see as the last use.
const recordUse = time.Minute

// delegated is a client that has the token of somebody who is away.
type delegated struct {
	who *identity.Identity
	row tokenstore.Delegation
}

// errNoDelegation is the one answer for a person who is not known, is suspended, has not
// allowed it or has forbidden it: a service learns from it of nobody that it may not act
// for.
func errNoDelegation(p provider.Provider) error {
	return invalid("interaction_required", "no such person, or they have not allowed the client to use "+p.Title()+" while they are away; they can allow it on their own page")
}

// awaySubject is the person whom a service names, and who lets it act for them. Nobody
// is there: what they said is read anew each time, so that a prohibition counts at once.
func (g *Gateway) awaySubject(ctx context.Context, req *endpointRequest, p provider.Provider) (delegated, error) {
	subject := req.PostForm.Get("subject_token")
	row, err := g.Store.Delegation(ctx, subject, req.client.ID, p.Issuer())
	var refused string
	known := slog.String("subject", subject)
	switch {
	case errors.Is(err, tokenstore.ErrNotFound), errors.Is(err, tokenstore.ErrInvalid):
		// Who mixes up the token types sends an access token, which no log may have.
		known, refused = slog.Attr{}, "no such person"
	case errors.Is(err, tokenstore.ErrSuspended):
		refused = "suspended"
	case err != nil:
		return delegated{}, err
	case !row.ForbiddenAt.IsZero():
		refused = "forbidden by the person"
	default:
		who, err := g.awayIdentity(ctx, req.client, row)
		if err != nil || who != nil {
			return delegated{who, row}, err
		}
		refused = "not allowed, or refused by a policy"
	}
	g.Logger.InfoContext(ctx, "a client may not act for a person", slog.String("client_id", req.client.ID), slog.String("provider", p.Name()), known, slog.String("reason", refused))
	return delegated{}, errNoDelegation(p)
}

// awayIdentity is the person as whom the client may act, or nil.
func (g *Gateway) awayIdentity(ctx context.Context, c *client.Client, row tokenstore.Delegation) (*identity.Identity, error) {
	live, err := g.liveIdentities(ctx, row.Subject)
	if err != nil {
		return nil, err
	}
	return g.actsAs(ctx, c, live, row), nil
}

// liveIdentities are who a person is now, by their newest sessions.
func (g *Gateway) liveIdentities(ctx context.Context, subject string) ([]*identity.Identity, error) {
	sessions, err := g.Store.ListSessions(ctx, tokenstore.SessionQuery{Subject: subject, Limit: awaySessions})
	if err != nil {
		return nil, err
	}
	var live []*identity.Identity
	for _, s := range sessions {
		claims, err := g.Sessions.Claims(s)
		if s.Err() != nil || err != nil {
			continue
		}
		live = append(live, &identity.Identity{Claims: claims, Subject: s.Subject, SessionID: s.ID})
	}
	return live, nil
}

// actsAs is the person as whom the client may act: as a live session of theirs has them
// now, else as they were when they allowed it. Nil if the rules refuse all of these, or
// nobody has allowed it. The person's own page and each delivery go by it.
func (g *Gateway) actsAs(ctx context.Context, c *client.Client, live []*identity.Identity, row tokenstore.Delegation) *identity.Identity {
	for _, id := range live {
		if g.mayActAs(c, id, row) {
			return id
		}
	}
	if len(live) > 0 || row.AllowedAt.IsZero() {
		return nil
	}
	id := g.openDelegation(ctx, row)
	if id == nil || !g.mayActAs(c, id, row) {
		return nil
	}
	return id
}

// mayActAs reports whether a client may act for somebody: the rules let them use the
// client, and they, or the administrator's policy for them, allowed it.
func (g *Gateway) mayActAs(c *client.Client, id *identity.Identity, row tokenstore.Delegation) bool {
	if !row.ForbiddenAt.IsZero() || !g.mayUse(c, id) {
		return false
	}
	return !row.AllowedAt.IsZero() || actsByPolicy(c, id)
}

// actsByPolicy reports whether the administrator's policy lets a client act for
// somebody who need not be asked.
func actsByPolicy(c *client.Client, id *identity.Identity) bool {
	if c.ActPolicy == nil {
		return false
	}
	here := *id
	here.ClientID = c.ID
	return c.ActPolicy.Allows(&here)
}

const delegationLabel = "delegation"

func delegationPlace(subject, clientID, issuer string) []byte {
	return marshal([]string{"delegation", subject, clientID, issuer})
}

// openDelegation is who the person was when they allowed it, as the configuration judges
// them now, or nil. What cannot be read allows nothing.
func (g *Gateway) openDelegation(ctx context.Context, row tokenstore.Delegation) *identity.Identity {
	plain, err := g.Keyring.Open(delegationLabel, delegationPlace(row.Subject, row.ClientID, row.Provider), row.Claims)
	var claims identity.Claims
	if err == nil {
		err = json.Unmarshal(plain, &claims)
	}
	if err != nil {
		g.Logger.WarnContext(ctx, "a permission to act for a person cannot be unsealed and is ignored; they can give it again on their own page",
			"client_id", row.ClientID, "subject", row.Subject, "error", err)
		return nil
	}
	if claims, err = g.Sessions.Judge(claims); err != nil {
		return nil
	}
	return &identity.Identity{Claims: claims, Subject: row.Subject}
}

// recordAway has the person see that the token was given out. It is recorded before
// that, so that none is given out in secret.
func (g *Gateway) recordAway(ctx context.Context, row tokenstore.Delegation) error {
	if g.Now().Sub(row.UsedAt).Abs() < recordUse {
		return nil
	}
	return g.Store.UseDelegation(ctx, row.Subject, row.ClientID, row.Provider)
}

// delivered tells that a client has a person's access token: act is who acts for sub,
// as in RFC 8693, section 4.1.
func (g *Gateway) delivered(ctx context.Context, c *client.Client, who *identity.Identity, p provider.Provider, scope string, away bool) {
	attrs := []slog.Attr{
		slog.String("client_id", c.ID), slog.String("provider", p.Name()), slog.String("user", who.User), slog.String("subject", who.Subject),
		slog.Any("act", map[string]string{"sub": c.ID}), slog.String("scope", scope), slog.Bool("away", away),
	}
	g.Events(ctx, "provider_token_delivered", attrs...)
	g.Logger.LogAttrs(ctx, slog.LevelInfo, "a client has a person's provider token", attrs...)
}
