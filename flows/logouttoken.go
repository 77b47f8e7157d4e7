package flows

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/flows/handle"
	"github.com/gatehouse-auth/gatehouse/flows/keyring"
	"github.com/gatehouse-auth/gatehouse/flows/outbox"
	"github.com/gatehouse-auth/gatehouse/flows/token"
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
	ctx, cancel := lasting(ctx)
	defer cancel()
	return g.tellAndEnd(ctx, g.endingWithAll(ctx, id), func() error { return g.Sessions.SignOut(ctx, id) })
}

// endSignIn is EndSession for the one sign-in that the session came from: of what
// has ended at a provider, the person may have signed in there again since.
func (g *Gateway) endSignIn(ctx context.Context, id uuid.UUID) error {
	ctx, cancel := lasting(ctx)
	defer cancel()
	return g.tellAndEnd(ctx, g.endingWith(ctx, id), func() error { return g.Sessions.End(ctx, id) })
}

// EndSubject signs all sessions of a subject out. Clients that asked for it are
// told. It does not stop when ctx ends. Errors: [session.ErrUnavailable]; an empty
// subject is [tokenstore.ErrInvalid].
func (g *Gateway) EndSubject(ctx context.Context, subject string) error {
	ctx, cancel := lasting(ctx)
	defer cancel()
	var entries []tokenstore.OutboxEntry
	if subject != "" && g.tellsClients() {
		entries = g.toldOf(g.liveSessions(ctx, tokenstore.SessionQuery{Subject: subject}))
	}
	return g.tellAndEnd(ctx, entries, func() error { return g.Sessions.EndSubject(ctx, subject) })
}

// endOne ends one session and what came from it, and leaves the sign-in that it
// came from. Clients that asked for it are told. Errors as of
// [Gateway.EndSession].
func (g *Gateway) endOne(ctx context.Context, row tokenstore.Session) error {
	ctx, cancel := lasting(ctx)
	defer cancel()
	var entries []tokenstore.OutboxEntry
	if g.tellsClients() {
		children := g.liveSessions(ctx, tokenstore.SessionQuery{Subject: row.Subject, Parent: row.ID})
		entries = g.toldOf(append(children, row))
	}
	return g.tellAndEnd(ctx, entries, func() error { return g.revoke(ctx, row.ID) })
}

// tellAndEnd queues what clients are to be told, and then ends the sessions: once
// they have ended nobody finds out again who is to be told, and a crash in between
// would be the last that is heard of it.
func (g *Gateway) tellAndEnd(ctx context.Context, entries []tokenstore.OutboxEntry, end func() error) error {
	for _, e := range entries {
		if err := g.Store.Enqueue(ctx, e); err != nil {
			g.Logger.WarnContext(ctx, "a client will not be told of a sign-out", "client_id", e.Target, "error", err)
		}
	}
	if err := end(); err != nil {
		return err
	}
	if len(entries) > 0 {
		g.drain.Kick()
	}
	return nil
}

// endingWithAll is what clients are to be told when a session is signed out.
func (g *Gateway) endingWithAll(ctx context.Context, id uuid.UUID) []tokenstore.OutboxEntry {
	if !g.tellsClients() {
		return nil
	}
	signIns, err := g.Sessions.SignIns(ctx, id)
	if err != nil {
		g.Logger.WarnContext(ctx, "clients will not be told of a sign-out", "session", id.String(), "error", err)
		return nil
	}
	var entries []tokenstore.OutboxEntry
	for _, signIn := range signIns {
		entries = append(entries, g.endingWith(ctx, signIn)...)
	}
	return entries
}

// endingWith is what clients are to be told when the sign-in of a session ends.
func (g *Gateway) endingWith(ctx context.Context, id uuid.UUID) []tokenstore.OutboxEntry {
	if !g.tellsClients() {
		return nil
	}
	row, err := g.Store.Session(ctx, id)
	if err != nil {
		if !errors.Is(err, tokenstore.ErrNotFound) {
			g.Logger.WarnContext(ctx, "clients will not be told of a sign-out", "session", id.String(), "error", err)
		}
		return nil
	}
	if row.Parent != uuid.Nil { // among its siblings
		return g.toldOf(g.liveSessions(ctx, tokenstore.SessionQuery{Subject: row.Subject, Parent: row.Parent}))
	}
	return g.toldOf(append(g.liveSessions(ctx, tokenstore.SessionQuery{Subject: row.Subject, Parent: row.ID}), row))
}

// liveSessions are all that a query selects, page by page.
func (g *Gateway) liveSessions(ctx context.Context, q tokenstore.SessionQuery) []tokenstore.Session {
	q.Limit = 500
	var all []tokenstore.Session
	for {
		rows, err := g.Store.ListSessions(ctx, q)
		if err != nil {
			g.Logger.WarnContext(ctx, "clients will not be told of a sign-out", "subject", q.Subject, "error", err)
			return all
		}
		all = append(all, rows...)
		if len(rows) < q.Limit {
			return all
		}
		q.Before = rows[len(rows)-1].ID
	}
}

// toldOf is what is to be told of sessions that end: of each to its client, if
// that wants to know. Of one that has ended already its client was told.
func (g *Gateway) toldOf(ending []tokenstore.Session) []tokenstore.OutboxEntry {
	var entries []tokenstore.OutboxEntry
	for _, row := range ending {
		c := g.Clients[row.ClientID]
		if c == nil || c.BackchannelLogoutURI == "" || !row.RevokedAt.IsZero() {
			continue
		}
		issuer := g.portal.issuer() // as it is called now
		if !g.HasPortal() {
			issuer = g.Sessions.Issuer(row)
		}
		if issuer == "" {
			continue // of a site that is none any more
		}
		entry := tokenstore.OutboxEntry{
			ID: handle.NewID(g.Now(), g.Random), Kind: tokenstore.OutboxBackchannelLogout, Target: c.ID, NotBy: g.Now().Add(logoutKeep),
		}
		entry.Payload = g.Keyring.Seal("outbox", entry.ID[:], marshal(pendingLogout{
			Issuer: issuer, Subject: row.Subject, Session: row.ID.String(),
		}))
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
	var p pendingLogout
	plain, err := g.Keyring.Open("outbox", e.ID[:], e.Payload)
	switch {
	case errors.Is(err, keyring.ErrKey):
		return fmt.Errorf("opening a logout that a client is to be told of: %w", err) // another node may have the secret
	case err != nil:
		return fmt.Errorf("opening a logout that a client is to be told of: %w: %w", outbox.ErrFinal, err)
	}
	if err := json.Unmarshal(plain, &p); err != nil {
		return fmt.Errorf("%w: reading a logout that a client is to be told of", outbox.ErrFinal)
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
