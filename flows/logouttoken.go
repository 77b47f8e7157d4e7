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
	outboxInterval = 5 * time.Second
	outboxBatch    = 20
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
	told := g.clientsToTell(ctx, id)
	if err := g.Sessions.End(ctx, id); err != nil {
		return err
	}
	for _, e := range told {
		if err := g.Store.Enqueue(ctx, e); err != nil {
			g.Logger.WarnContext(ctx, "a client will not be told of a sign-out", "client_id", e.Target, "error", err)
		}
	}
	if len(told) > 0 {
		select {
		case g.outbox <- struct{}{}:
		default:
		}
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

// Run does the gateway's background work until ctx ends: it tells clients of
// sign-outs, and learns which access tokens other nodes revoked. Without
// clients it has nothing to do and returns at once.
func (g *Gateway) Run(ctx context.Context) {
	if g.Keys == nil || len(g.Clients) == 0 {
		return
	}
	ticker := time.NewTicker(outboxInterval)
	defer ticker.Stop()
	for round := 0; ; round++ {
		if round%2 == 0 {
			if err := g.loadTokenIDs(ctx); err != nil && ctx.Err() == nil {
				g.Logger.DebugContext(ctx, "learning of revoked tokens failed", "error", err)
			}
		}
		if g.tellsClients() {
			g.drain(ctx)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-g.outbox:
		}
	}
}

// drain sends what is due.
func (g *Gateway) drain(ctx context.Context) {
	entries, err := g.Store.TakeOutbox(ctx, outboxBatch, 2*logoutTimeout)
	if err != nil {
		return
	}
	for _, e := range entries {
		if e.Kind != tokenstore.OutboxBackchannelLogout {
			continue
		}
		again := time.Duration(0)
		if err := g.tell(ctx, e); err != nil {
			again = time.Second << min(e.Attempts, logoutAttempts)
			gaveUp := e.Attempts >= logoutAttempts || g.Now().After(e.NotBy)
			g.Logger.WarnContext(ctx, "telling a client of a sign-out failed", "client_id", e.Target, "attempts", e.Attempts, "gave_up", gaveUp, "error", err)
			if gaveUp {
				again = 0
			}
		}
		if err := g.Store.FinishOutbox(ctx, e.ID, again); err != nil && ctx.Err() == nil {
			g.Logger.WarnContext(ctx, "finishing an outbox entry failed", "error", err)
		}
	}
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
		return nil // sealed by a secret that is gone: nobody can send it
	}
	if err := json.Unmarshal(plain, &p); err != nil {
		return nil
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
