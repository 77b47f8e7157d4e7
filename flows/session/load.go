package session

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/flows/provider"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// load brings a session into the table: one round trip to the store, however
// many requests ask at once. A caller that gives up leaves the others alone.
func (m *Manager) load(ctx context.Context, id sessionID) (*entry, error) {
	if err := m.refusal(id); err != nil {
		return nil, err
	}
	flight := m.flights.DoChan(string(id[:]), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
		defer cancel()
		return m.fetch(ctx, id)
	})
	select {
	case r := <-flight:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*entry), nil
	case <-ctx.Done():
		return nil, unavailable(context.Cause(ctx))
	}
}

// fetch asks the store, again if an announcement about the session's subject
// came while it was asked.
func (m *Manager) fetch(ctx context.Context, id sessionID) (*entry, error) {
	for range attempts {
		if e := m.table.get(&id); e != nil {
			return e, nil // another flight has just landed
		}
		before := m.mark()
		row, err := m.store.Session(ctx, id)
		m.heard(ctx, err)
		switch {
		case errors.Is(err, tokenstore.ErrNotFound):
			m.finish(id, unknown, before.at)
			return nil, errUnknown
		case err != nil:
			return nil, unavailable(err)
		}
		e, err := m.admit(row, before)
		if errors.Is(err, errLookAgain) {
			continue
		}
		return e, err
	}
	return nil, unavailable(errLookAgain)
}

// admit makes an entry of a row that was read after the mark, and takes it in.
func (m *Manager) admit(row tokenstore.Session, before mark) (*entry, error) {
	switch err := row.Err(); {
	case errors.Is(err, tokenstore.ErrRevoked):
		m.finish(row.ID, revoked, before.at)
		return nil, errEnded
	case errors.Is(err, tokenstore.ErrExpired):
		m.finish(row.ID, expired, before.at)
		return nil, errEnded
	case errors.Is(err, tokenstore.ErrSuspended):
		m.finish(row.ID, suspended, before.at)
		return nil, errSuspended
	}
	e, err := m.newEntry(row, before)
	if err != nil {
		return nil, err
	}
	if err := m.judge(e); err != nil {
		return nil, err
	}
	return m.adopt(e, before)
}

func (m *Manager) newEntry(row tokenstore.Session, before mark) (*entry, error) {
	signed, err := m.openSealed(row)
	if err != nil {
		m.log.Error("session's claims do not open", "session", row.ID, "error", err)
		return nil, errSealed
	}
	return m.entryOf(row, signed, before)
}

func (m *Manager) entryOf(row tokenstore.Session, signed sealed, before mark) (*entry, error) {
	claims := signed.Claims
	if len(row.SecretHash) != sha256.Size {
		return nil, errOtherSecret
	}
	m.share(&claims)
	who := &identity.Identity{
		Claims:    claims,
		Subject:   row.Subject,
		SessionID: row.ID,
		Portal:    row.Parent,
		ClientID:  m.names.one(row.ClientID),
		Scope:     strings.Fields(m.names.one(row.Scope)),

		Judgements: new(identity.Judgements),
	}
	if signed.Sought != nil {
		who.Sought, who.SoughtKnown = m.names.one(*signed.Sought), true
	}
	e := &entry{id: row.ID, secret: [sha256.Size]byte(row.SecretHash), idle: row.Idle, signed: &who.Claims, stamp: tokenstore.StampOf(row.Claims)}
	e.who.Store(who)
	e.epoch.Store(before.epoch)
	e.checked.Store(int64(before.at))
	e.setEnds(before.local(row.EndsAt(), row.Now), before.local(row.ExpiresAt, row.Now))
	seen := row.SeenAt
	if row.RotatedAt.After(seen) {
		seen = row.RotatedAt
	}
	e.seen.Store(before.local(seen, row.Now))
	e.used.Store(e.seen.Load()) // to be loaded is no use
	return e, nil
}

// share replaces what many sessions have in common by one copy.
func (m *Manager) share(c *identity.Claims) {
	for _, s := range []*string{&c.Provider, &c.Issuer, &c.ACR, &c.Credential} {
		*s = m.names.one(*s)
	}
	for i := range c.Groups {
		c.Groups[i] = m.names.one(c.Groups[i])
	}
	for i := range c.AMR {
		c.AMR[i] = m.names.one(c.AMR[i])
	}
}

// judge asks the settings who the user is now. The session of a user who is gone,
// or has another credential now, is refused by this node for as long as its
// configuration says so. The store is told nothing: another node's configuration
// may be newer and know the user, and an older one must not undo that for good.
func (m *Manager) judge(e *entry) error {
	current := m.settings.Load().Current
	if current == nil {
		current = asSigned
	}
	signed := *e.signed
	if adopted := e.adopted.Load(); adopted != nil {
		signed.Credential = *adopted
	}
	claims, err := current(signed)
	switch {
	case errors.Is(err, provider.ErrGone):
		m.finishEntry(e, refused, m.clock())
		return errRefused
	case err != nil:
		m.log.Warn("user cannot be judged", "session", e.id, "error", err)
		return unavailable(err)
	}
	if signed.Credential == "" && claims.Credential != "" && e.adopted.CompareAndSwap(nil, &claims.Credential) {
		m.noteCredential(e.id, claims.Credential)
	}
	m.replaceClaims(e, claims)
	return nil
}

func asSigned(c identity.Claims) (identity.Claims, error) { return c, nil }

// replaceClaims gives the entry a new identity if the claims have changed: the
// old one is in use by requests.
func (m *Manager) replaceClaims(e *entry, claims identity.Claims) {
	who := e.who.Load()
	if equalClaims(&who.Claims, &claims) {
		return
	}
	next := *who
	next.Claims, next.Judgements = claims, new(identity.Judgements)
	next.Groups, next.AMR = slices.Clone(claims.Groups), slices.Clone(claims.AMR)
	m.share(&next.Claims)
	e.who.Store(&next)
}

// mark is the state of the node before a question to the store: what is
// announced after it overrules the answer.
type mark struct {
	epoch      uint64
	generation uint64
	at         time.Duration
}

func (m *Manager) mark() mark {
	m.mu.Lock()
	defer m.mu.Unlock()
	return mark{epoch: m.epoch.Load(), generation: m.endings.generation, at: m.clock()}
}

// local turns a time of the store, which answered at storeNow, into one of
// this node. The answer took a while, so it is never later than in truth.
func (b mark) local(t, storeNow time.Time) int64 { return int64(b.at + t.Sub(storeNow)) }
