package flows

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/flows/handle"
	"github.com/gatehouse-auth/gatehouse/flows/keyring"
	"github.com/gatehouse-auth/gatehouse/flows/outbox"
	"github.com/gatehouse-auth/gatehouse/flows/sealed"
	"github.com/gatehouse-auth/gatehouse/flows/token"
	"github.com/gatehouse-auth/gatehouse/flows/web"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// How clients are told of a sign-out (OpenID Connect Back-Channel Logout): soon,
// again with growing pauses, and not for ever. A client that does not answer
// holds up nobody's sign-out.
const (
	logoutAttempts = 8
	logoutTimeout  = 5 * time.Second
	logoutKeep     = time.Hour
)

// pendingLogout is an entry of the outbox.
type pendingLogout struct {
	Issuer  string `json:"iss"`
	Subject string `json:"sub"`
	Session string `json:"sid"`
}

// EndSession signs a session out: with the sign-in that it came from, those that
// renewed it or that it renewed, and with everything that came from them. Clients
// that asked for it are told. It does not stop when ctx ends: people close the
// window as soon as they have clicked. An unknown or ended session is no error;
// [session.ErrUnavailable] is.
func (g *Gateway) EndSession(ctx context.Context, id uuid.UUID) error {
	ctx, cancel := web.Detached(ctx)
	defer cancel()
	tell := func(ctx context.Context, since time.Time) ([]tokenstore.OutboxEntry, error) {
		return g.endingWithAll(ctx, since, id)
	}
	return g.tellAndEnd(ctx, id.String(), tell, func() error { return g.Sessions.SignOut(ctx, id) })
}

// endSignIn is EndSession for the one sign-in that the session came from: of what
// has ended at a provider, the person may have signed in there again since.
func (g *Gateway) endSignIn(ctx context.Context, id uuid.UUID) error {
	ctx, cancel := web.Detached(ctx)
	defer cancel()
	tell := func(ctx context.Context, since time.Time) ([]tokenstore.OutboxEntry, error) {
		return g.endingWith(ctx, since, id)
	}
	return g.tellAndEnd(ctx, id.String(), tell, func() error { return g.Sessions.End(ctx, id) })
}

// EndSubject signs all sessions of a subject out. Clients that asked for it are
// told. It does not stop when ctx ends. Errors: [session.ErrUnavailable]; an empty
// subject is [tokenstore.ErrInvalid].
func (g *Gateway) EndSubject(ctx context.Context, subject string) error {
	ctx, cancel := web.Detached(ctx)
	defer cancel()
	tell := func(ctx context.Context, since time.Time) ([]tokenstore.OutboxEntry, error) {
		if subject == "" {
			return nil, nil
		}
		rows, err := g.sessionsSince(ctx, since, tokenstore.SessionQuery{Subject: subject})
		return g.toldOf(rows), err
	}
	return g.tellAndEnd(ctx, subject, tell, func() error { return g.Sessions.EndSubject(ctx, subject) })
}

// endOne ends one session and what came from it, and leaves the sign-in that it
// came from. Clients that asked for it are told. Errors as of
// [Gateway.EndSession].
func (g *Gateway) endOne(ctx context.Context, row tokenstore.Session) error {
	ctx, cancel := web.Detached(ctx)
	defer cancel()
	tell := func(ctx context.Context, since time.Time) ([]tokenstore.OutboxEntry, error) {
		children, err := g.sessionsSince(ctx, since, tokenstore.SessionQuery{Subject: row.Subject, Parent: row.ID})
		if row.RevokedAt.IsZero() {
			children = append(children, row)
		}
		return g.toldOf(children), err
	}
	return g.tellAndEnd(ctx, row.ID.String(), tell, func() error { return g.revoke(ctx, row.ID) })
}

// endingWithAll is what clients are to be told when a session is signed out.
func (g *Gateway) endingWithAll(ctx context.Context, since time.Time, id uuid.UUID) ([]tokenstore.OutboxEntry, error) {
	signIns, err := g.Sessions.SignIns(ctx, id)
	if err != nil {
		return nil, err
	}
	return g.endingWith(ctx, since, append(signIns, id)...)
}

// endingWith is what clients are to be told when the sign-ins of some sessions of one
// subject end. Those of offline access are told as well, once for each sign-in: the
// person has left, and what they were given to keep goes on (OpenID Connect
// Back-Channel Logout, section 2.7).
func (g *Gateway) endingWith(ctx context.Context, since time.Time, ids ...uuid.UUID) ([]tokenstore.OutboxEntry, error) {
	subject, ending, leaving := "", make(map[uuid.UUID]bool), make(map[uuid.UUID]bool)
	for _, id := range ids {
		signIn, err := g.signInOf(ctx, id)
		switch {
		case errors.Is(err, tokenstore.ErrNotFound):
			continue
		case err != nil:
			return nil, err
		}
		subject = signIn.Subject
		ending[signIn.ID] = true
		leaving[signIn.ID] = !endedBefore(signIn, since)
	}
	if subject == "" {
		return nil, nil
	}
	rows, err := g.sessionsSince(ctx, since, tokenstore.SessionQuery{Subject: subject})
	return g.toldOf(slices.DeleteFunc(rows, func(row tokenstore.Session) bool {
		if ending[row.ID] || ending[row.Parent] {
			return false
		}
		return !isOffline(row) || !leaving[g.Sessions.From(row)]
	})), err
}

// signInOf is the sign-in that a session came from, or the session itself.
func (g *Gateway) signInOf(ctx context.Context, id uuid.UUID) (tokenstore.Session, error) {
	row, err := g.Store.Session(ctx, id)
	if err != nil || row.Parent == uuid.Nil {
		return row, err
	}
	return g.Store.Session(ctx, row.Parent)
}

// endedBefore reports whether a session was revoked before a time, or at all where
// that is zero.
func endedBefore(row tokenstore.Session, since time.Time) bool {
	return !row.RevokedAt.IsZero() && (since.IsZero() || row.RevokedAt.Before(since))
}

// sessionsSince are all that a query selects and that are live, or with a time those
// that were live then, page by page.
func (g *Gateway) sessionsSince(ctx context.Context, since time.Time, q tokenstore.SessionQuery) ([]tokenstore.Session, error) {
	q.Limit, q.All = 500, !since.IsZero()
	var all []tokenstore.Session
	for {
		rows, err := g.Store.ListSessions(ctx, q)
		if err != nil {
			return all, err
		}
		for _, row := range rows {
			q.Before = row.ID
			if !endedBefore(row, since) && row.Now.Before(row.ExpiresAt) {
				all = append(all, row)
			}
		}
		if len(rows) < q.Limit {
			return all, nil
		}
	}
}

// toldOf is what is to be told of sessions that end: of each to its client, if
// that wants to know.
func (g *Gateway) toldOf(ending []tokenstore.Session) []tokenstore.OutboxEntry {
	var entries []tokenstore.OutboxEntry
	for _, row := range ending {
		c := g.Clients[row.ClientID]
		if c == nil || c.BackchannelLogoutURI == "" {
			continue
		}
		issuer := g.portal.ID() // as it is called now
		if !g.HasPortal() {
			issuer = g.Sessions.Issuer(row)
		}
		if issuer == "" {
			continue // of a site that is none any more
		}
		entry := tokenstore.OutboxEntry{
			ID: handle.NewID(g.Now(), g.Random), Kind: tokenstore.OutboxBackchannelLogout, Target: c.ID, NotBy: g.Now().Add(logoutKeep),
		}
		entry.Payload = sealed.Seal(g.Keyring, "outbox", entry.ID[:], pendingLogout{
			Issuer: issuer, Subject: row.Subject, Session: row.ID.String(),
		})
		entries = append(entries, entry)
	}
	return entries
}

func (g *Gateway) tellsClients() bool {
	for _, c := range g.Clients {
		if c.BackchannelLogoutURI != "" {
			return g.Keys != nil
		}
	}
	return false
}

// errNotToBeTold: no client of that name wants to be told of sign-outs here.
var errNotToBeTold = errors.New("no such client is to be told here")

// tell posts a logout token (section 2.5).
func (g *Gateway) tell(ctx context.Context, e tokenstore.OutboxEntry) error {
	c := g.Clients[e.Target]
	if c == nil || c.BackchannelLogoutURI == "" {
		return errNotToBeTold // another node may have another configuration, while they change over
	}
	p, err := sealed.Open[pendingLogout](g.Keyring, "outbox", e.ID[:], e.Payload)
	switch {
	case errors.Is(err, keyring.ErrKey):
		return fmt.Errorf("opening a logout that a client is to be told of: %w", err) // another node may have the secret
	case err != nil:
		return fmt.Errorf("opening a logout that a client is to be told of: %w: %w", outbox.ErrFinal, err)
	}
	now := g.Now()
	signed, err := g.Keys.Sign(token.TypeLogout, c.IDTokenAlgorithm, jwt.MapClaims{
		"iss": p.Issuer, "sub": p.Subject, "sid": p.Session, "aud": c.ID, "iat": now.Unix(), "exp": now.Add(2 * time.Minute).Unix(),
		"jti": encode(g.Keyring.Random(16)), "events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, logoutTimeout)
	defer cancel()
	body := strings.NewReader(url.Values{"logout_token": {signed}}.Encode())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.BackchannelLogoutURI, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := g.HTTPClient.Do(req)
	if err != nil {
		return errors.New("the client cannot be reached") // the error would quote the address
	}
	_ = resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("the client answered %d", resp.StatusCode)
	}
	return nil
}
