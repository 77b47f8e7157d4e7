package signout

import (
	"context"
	"encoding/base64"
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
	"github.com/gatehouse-auth/gatehouse/flows/session"
	"github.com/gatehouse-auth/gatehouse/flows/token"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// How clients are told of a sign-out (OpenID Connect Back-Channel Logout): soon,
// again with growing pauses, and not for ever. A client that does not answer
// holds up nobody's sign-out.
const (
	attempts = 8
	timeout  = 5 * time.Second
	keep     = time.Hour
)

// pendingLogout is an entry of the outbox.
type pendingLogout struct {
	Issuer  string `json:"iss"`
	Subject string `json:"sub"`
	Session string `json:"sid"`
}

// endingWithAll is what clients are to be told when a session is signed out.
func (m *Manager) endingWithAll(ctx context.Context, since time.Time, id uuid.UUID) ([]tokenstore.OutboxEntry, error) {
	signIns, err := m.Sessions.SignIns(ctx, id)
	if err != nil {
		return nil, err
	}
	return m.endingWith(ctx, since, append(signIns, id)...)
}

// endingWith is what clients are to be told when the sign-ins of some sessions of one
// subject end. Those of offline access are told as well, once for each sign-in: the
// person has left, and what they were given to keep goes on (OpenID Connect
// Back-Channel Logout, section 2.7).
func (m *Manager) endingWith(ctx context.Context, since time.Time, ids ...uuid.UUID) ([]tokenstore.OutboxEntry, error) {
	subject, ending, leaving := "", make(map[uuid.UUID]bool), make(map[uuid.UUID]bool)
	for _, id := range ids {
		signIn, err := m.signInOf(ctx, id)
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
	rows, err := m.sessionsSince(ctx, since, tokenstore.SessionQuery{Subject: subject})
	return m.toldOf(slices.DeleteFunc(rows, func(row tokenstore.Session) bool {
		if ending[row.ID] || ending[row.Parent] {
			return false
		}
		return !session.IsOffline(row) || !leaving[m.Sessions.From(row)]
	})), err
}

// signInOf is the sign-in that a session came from, or the session itself.
func (m *Manager) signInOf(ctx context.Context, id uuid.UUID) (tokenstore.Session, error) {
	row, err := m.Store.Session(ctx, id)
	if err != nil || row.Parent == uuid.Nil {
		return row, err
	}
	return m.Store.Session(ctx, row.Parent)
}

// endedBefore reports whether a session was revoked before a time, or at all where
// that is zero.
func endedBefore(row tokenstore.Session, since time.Time) bool {
	return !row.RevokedAt.IsZero() && (since.IsZero() || row.RevokedAt.Before(since))
}

// sessionsSince are all that a query selects and that are live, or with a time those
// that were live then.
func (m *Manager) sessionsSince(ctx context.Context, since time.Time, q tokenstore.SessionQuery) ([]tokenstore.Session, error) {
	q.Limit, q.All = page, !since.IsZero()
	var all []tokenstore.Session
	for row, err := range tokenstore.EachSession(ctx, m.Store, q) {
		if err != nil {
			return all, err
		}
		if !endedBefore(row, since) && row.Now.Before(row.ExpiresAt) {
			all = append(all, row)
		}
	}
	return all, nil
}

// toldOf is what is to be told of sessions that end: of each to its client, if
// that wants to know.
func (m *Manager) toldOf(ending []tokenstore.Session) []tokenstore.OutboxEntry {
	var entries []tokenstore.OutboxEntry
	for _, row := range ending {
		c := m.Clients[row.ClientID]
		if c == nil || c.BackchannelLogoutURI == "" {
			continue
		}
		issuer := m.Portal.ID() // as it is called now
		if m.Portal.Origin == "" {
			issuer = m.Sessions.Issuer(row)
		}
		if issuer == "" {
			continue // of a site that is none any more
		}
		entry := tokenstore.OutboxEntry{
			ID: handle.NewID(m.Now(), m.Random), Kind: tokenstore.OutboxBackchannelLogout, Target: c.ID, NotBy: m.Now().Add(keep),
		}
		entry.Payload = sealed.Seal(m.Keyring, "outbox", entry.ID[:], pendingLogout{
			Issuer: issuer, Subject: row.Subject, Session: row.ID.String(),
		})
		entries = append(entries, entry)
	}
	return entries
}

func (m *Manager) tellsClients() bool {
	for _, c := range m.Clients {
		if c.BackchannelLogoutURI != "" {
			return m.Keys != nil
		}
	}
	return false
}

// errNotToBeTold: no client of that name wants to be told of sign-outs here.
var errNotToBeTold = errors.New("no such client is to be told here")

// Handler tells clients, from the outbox.
func (m *Manager) Handler() outbox.Handler { return outbox.Handler{Handle: m.tell, Attempts: attempts} }

// tell posts a logout token (section 2.5).
func (m *Manager) tell(ctx context.Context, e tokenstore.OutboxEntry) error {
	c := m.Clients[e.Target]
	if c == nil || c.BackchannelLogoutURI == "" {
		return errNotToBeTold // another node may have another configuration, while they change over
	}
	p, err := sealed.Open[pendingLogout](m.Keyring, "outbox", e.ID[:], e.Payload)
	switch {
	case errors.Is(err, keyring.ErrKey):
		return fmt.Errorf("opening a logout that a client is to be told of: %w", err) // another node may have the secret
	case err != nil:
		return fmt.Errorf("opening a logout that a client is to be told of: %w: %w", outbox.ErrFinal, err)
	}
	now := m.Now()
	signed, err := m.Keys.Sign(token.TypeLogout, c.IDTokenAlgorithm, jwt.MapClaims{
		"iss": p.Issuer, "sub": p.Subject, "sid": p.Session, "aud": c.ID, "iat": now.Unix(), "exp": now.Add(2 * time.Minute).Unix(),
		"jti": base64.RawURLEncoding.EncodeToString(m.Keyring.Random(16)), "events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	body := strings.NewReader(url.Values{"logout_token": {signed}}.Encode())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.BackchannelLogoutURI, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := m.HTTPClient.Do(req)
	if err != nil {
		return errors.New("the client cannot be reached") // the error would quote the address
	}
	_ = resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("the client answered %d", resp.StatusCode)
	}
	return nil
}
