package session

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/flows/handle"
	"github.com/gatehouse-auth/gatehouse/flows/identity"
)

// attempts is how often a session is looked at again that left the table
// meanwhile.
const attempts = 5

// Authenticate tells who a session handle belongs to. The session must have
// been created for clientID. A session that this node knows costs no I/O.
//
// Errors: [ErrNoSession] and [ErrUnavailable]. Only the first is a reason to
// ask for a sign-in, and none is for taking the cookie away.
func (m *Manager) Authenticate(ctx context.Context, clientID, h string) (*identity.Identity, error) {
	return m.authenticate(ctx, clientID, h, true)
}

// Uncounted tells who session handles belong to, for requests that are no use of the
// session: it goes idle all the same.
type Uncounted struct{ *Manager }

// Authenticate is [Manager.Authenticate], and counts as no use.
func (u Uncounted) Authenticate(ctx context.Context, clientID, h string) (*identity.Identity, error) {
	return u.authenticate(ctx, clientID, h, false)
}

func (m *Manager) authenticate(ctx context.Context, clientID, h string, counts bool) (*identity.Identity, error) {
	id, digest, ok := handle.SessionDigest(h)
	if !ok {
		return nil, ErrForged
	}
	for range attempts {
		e := m.table.get(&id)
		if e == nil || !e.provenBy(&digest) {
			var err error
			if e, err = m.prove(ctx, h, digest, e); err != nil {
				return nil, err
			}
		}
		if e.who.Load().ClientID != clientID {
			return nil, errOtherClient
		}
		who, err := m.settle(ctx, e, counts)
		if err == nil || !errors.Is(err, errLookAgain) {
			return who, err
		}
	}
	return nil, unavailable(errLookAgain)
}

// Live reports whether a session is live, for a bearer token that names it, and
// who it belongs to. Errors as for [Manager.Authenticate].
func (m *Manager) Live(ctx context.Context, id uuid.UUID) (*identity.Identity, error) {
	for range attempts {
		e := m.table.get(&id)
		if e == nil {
			var err error
			if e, err = m.load(ctx, id); err != nil {
				return nil, err
			}
		}
		who, err := m.settle(ctx, e, true)
		if err == nil || !errors.Is(err, errLookAgain) {
			return who, err
		}
	}
	return nil, unavailable(errLookAgain)
}

// prove verifies a handle that is not the one last seen of its session, and
// finds the entry if that is nil. Garbage gets no further than the MAC.
func (m *Manager) prove(ctx context.Context, s string, digest [sha256.Size]byte, e *entry) (*entry, error) {
	h, err := handle.ParseSession(m.keys, s)
	if err != nil {
		return nil, ErrForged
	}
	if e == nil {
		if e, err = m.load(ctx, h.ID); err != nil {
			return nil, err
		}
	}
	if !e.hasSecret(h.SecretHash()) {
		return nil, errOtherSecret
	}
	e.digest.Store(&digest)
	return e, nil
}

// settle answers for an entry, after asking the store where it must be asked.
func (m *Manager) settle(ctx context.Context, e *entry, counts bool) (*identity.Identity, error) {
	now := m.clock()
	if e.fresh(now, m.settings.Load().Interval, m.epoch.Load()) {
		if counts {
			e.use(now)
		}
		return e.who.Load(), nil
	}
	return m.settleOverdue(ctx, e, counts)
}

func (m *Manager) settleOverdue(ctx context.Context, e *entry, counts bool) (*identity.Identity, error) {
	now := m.clock()
	if err := e.verdict(); err != nil {
		return nil, err
	}
	if int64(now) >= e.expires.Load() {
		m.finish(e.id, expired, now)
		return nil, errEnded
	}
	if m.outage.on() {
		// Nobody waits for a store that is down, as long as there is an answer.
		m.probe(e)
		if who, err := m.serve(e, now, counts); err == nil {
			return who, nil
		}
	}
	if err := m.check(ctx, e, counts); err != nil && gaveUp(ctx) {
		return nil, unavailable(context.Cause(ctx))
	}
	return m.serve(e, now, counts)
}

// serve answers for an entry that was checked, or cannot be. In the second case
// a session that has been idle for too long as far as is known here is refused,
// but not as ended: another node may have seen it since.
func (m *Manager) serve(e *entry, now time.Duration, counts bool) (*identity.Identity, error) {
	if err := e.verdict(); err != nil {
		return nil, err
	}
	if now-time.Duration(e.checked.Load()) >= m.settings.Load().ServeStale || e.idleAway(now) {
		return nil, errTooOld
	}
	if counts {
		e.use(now)
	}
	return e.who.Load(), nil
}
