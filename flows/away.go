package flows

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/client"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

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
	case !row.Linked:
		refused = "they have no account there any more"
	default:
		seen, err := g.seenOf(ctx, subject)
		if err != nil {
			return delegated{}, err
		}
		who := g.actsAs(ctx, req.client, seen, row)
		g.noteSeen(ctx, seen, row)
		if who != nil {
			return delegated{who, row}, nil
		}
		refused = "not allowed, refused by a policy, or not signed in for too long"
	}
	g.logNotActing(ctx, req.client, p, known, refused)
	return delegated{}, errNoDelegation(p)
}

func (g *Gateway) logNotActing(ctx context.Context, c *client.Client, p provider.Provider, known slog.Attr, reason string) {
	g.Logger.InfoContext(ctx, "a client may not act for a person", slog.String("client_id", c.ID), slog.String("provider", p.Name()), known, slog.String("reason", reason))
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

// stillActs has the person see that the token was given out, and reports whether that is
// what they still want: they may have forbidden it, or unlinked the account, or have been
// suspended, while the provider was asked. It is recorded before the token is given out,
// so that none is given out in secret.
func (g *Gateway) stillActs(ctx context.Context, row tokenstore.Delegation) (bool, error) {
	var err error
	if g.Now().Sub(row.UsedAt).Abs() < recordUse {
		var now tokenstore.Delegation
		now, err = g.Store.Delegation(ctx, row.Subject, row.ClientID, row.Provider)
		if err == nil && (!now.Linked || !now.ForbiddenAt.IsZero() || !now.AllowedAt.Equal(row.AllowedAt)) {
			return false, nil
		}
	} else {
		err = g.Store.UseDelegation(ctx, row)
	}
	switch {
	case errors.Is(err, tokenstore.ErrConflict), errors.Is(err, tokenstore.ErrSuspended), errors.Is(err, tokenstore.ErrNotFound):
		return false, nil
	}
	return err == nil, err
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
