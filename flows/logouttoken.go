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

// EndSession signs a session out: with the sign-in that it came from, and with
// everything that came from that. Clients that asked for it are told. An
// unknown or ended session is no error; [session.ErrUnavailable] is.
func (g *Gateway) EndSession(ctx context.Context, id uuid.UUID) error {
	// First this: once the sessions have ended nobody finds out again who is to
	// be told, and a crash in between would be the last that is heard of it.
	told := g.clientsToTell(ctx, id)
	for _, e := range told {
		if err := g.Store.Enqueue(ctx, e); err != nil {
			g.Logger.WarnContext(ctx, "a client will not be told of a sign-out", "client_id", e.Target, "error", err)
		}
	}
	if err := g.Sessions.End(ctx, id); err != nil {
		return err
	}
	if len(told) > 0 {
		g.drain.Kick()
	}
	return nil
}

// clientsToTell lists what ends with a session at clients that want to know.
func (g *Gateway) clientsToTell(ctx context.Context, id uuid.UUID) []tokenstore.OutboxEntry {
	if !g.tellsClients() {
		return nil
	}
	row, err := g.Store.Session(ctx, id)
	if err != nil {
		return nil
	}
	root := row.ID
	if row.Parent != uuid.Nil {
		root = row.Parent
	}
	rows, err := g.Store.ListSessions(ctx, tokenstore.SessionQuery{Subject: row.Subject, Parent: root, Limit: 1000})
	if err != nil {
		return nil
	}
	var entries []tokenstore.OutboxEntry
	for _, child := range append(rows, row) {
		c := g.Clients[child.ClientID]
		if c == nil || c.BackchannelLogoutURI == "" {
			continue
		}
		entry := tokenstore.OutboxEntry{
			ID: handle.NewID(g.Now(), g.Random), Kind: tokenstore.OutboxBackchannelLogout, Target: c.ID, NotBy: g.Now().Add(logoutKeep),
		}
		entry.Payload = g.Keyring.Seal("outbox", entry.ID[:], marshal(pendingLogout{
			Issuer: g.portal.issuer(), Subject: child.Subject, Session: child.ID.String(),
		}))
		entries = append(entries, entry)
	}
	return entries
}

func (g *Gateway) tellsClients() bool {
	for _, c := range g.Clients {
		if c.BackchannelLogoutURI != "" {
			return g.HasPortal() && g.Keys != nil
		}
	}
	return false
}

// tell posts a logout token (section 2.5).
func (g *Gateway) tell(ctx context.Context, e tokenstore.OutboxEntry) error {
	c := g.Clients[e.Target]
	if c == nil || c.BackchannelLogoutURI == "" {
		return nil
	}
	var p pendingLogout
	plain, err := g.Keyring.Open("outbox", e.ID[:], e.Payload)
	if err != nil {
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
