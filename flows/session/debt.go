package session

import (
	"context"
	"errors"
	"sync"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// debt is a revocation that the token store must still be told of; or with a
// credential, that a session's fingerprint is that.
type debt struct {
	session uuid.UUID
	subject string
	// signOut revokes the portal sign-in that the session came from as well,
	// renewals those that renewed it or that it renewed.
	signOut, renewals bool
	credential        string
}

// maxDebts bounds what is remembered of debts, and of announcements that the
// cache did not take. What does not fit is judged again when it is next seen.
const maxDebts = 100_000

// debts are told as soon as the stores answer.
type debts struct {
	mu     sync.Mutex
	owed   map[debt]struct{}
	untold cache.Announcement
	due    chan struct{}
}

// owe has a revocation stored as soon as the token store takes it.
func (m *Manager) owe(d debt) {
	m.log.Info("revocation is still to be stored", "session", d.session, "subject", d.subject)
	m.debts.add(d)
	m.remind()
}

func (d *debts) add(owed debt) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.owed == nil {
		d.owed = make(map[debt]struct{})
	}
	if len(d.owed) < maxDebts {
		d.owed[owed] = struct{}{}
	}
}

// remind has what is owed tried now.
func (m *Manager) remind() {
	select {
	case m.debts.due <- struct{}{}:
	default:
	}
}

// payDebts works off what is owed until ctx ends.
func (m *Manager) payDebts(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.debts.due:
		}
		m.pay(ctx)
	}
}

// BeforePaying has a function called with the session, or the subject, of each sign-out
// that the token store could not take, before it is tried again, to find out who is to
// be told of it. If that fails, it is called again once the sign-out is stored, for as
// long as it takes.
func (m *Manager) BeforePaying(f func(ctx context.Context, session uuid.UUID, subject string) error) {
	m.beforePaying.Store(&f)
}

// pay tries once. What fails stays owed and is tried again at a later tick.
func (m *Manager) pay(ctx context.Context) {
	m.debts.mu.Lock()
	owed := m.debts.owed
	m.debts.owed = nil
	untold := m.debts.untold
	m.debts.untold = cache.Announcement{}
	m.debts.mu.Unlock()

	var failed error
	for d := range owed {
		if failed == nil {
			failed = m.tellAndPay(ctx, d)
		}
		if failed != nil {
			m.debts.add(d)
		}
	}
	if failed != nil {
		m.log.Debug("revocations are still to be stored", "error", failed)
	}
	if len(untold.Sessions)+len(untold.Subjects) > 0 {
		m.tell(ctx, untold)
	}
}

// tellAndPay pays a debt. The token store may answer again between the two steps, and then
// the first is to be done after the second.
func (m *Manager) tellAndPay(ctx context.Context, d debt) error {
	before := m.beforePaying.Load()
	if before == nil || d.credential != "" {
		return m.payOne(ctx, d)
	}
	untold := (*before)(ctx, d.session, d.subject)
	if err := m.payOne(ctx, d); err != nil || untold == nil {
		return err
	}
	return (*before)(ctx, d.session, d.subject)
}

func (m *Manager) payOne(ctx context.Context, d debt) error {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	switch {
	case d.credential != "":
		return m.storeCredential(ctx, d.session, d.credential)
	case d.subject != "":
		return m.revokeSubject(ctx, d.subject)
	case d.renewals:
		return m.signOutAll(ctx, d.session)
	case d.signOut:
		return m.signOut(ctx, d.session)
	}
	ids, err := m.store.RevokeSession(ctx, d.session)
	m.heard(ctx, err)
	if err != nil && !errors.Is(err, tokenstore.ErrNotFound) {
		return err
	}
	m.Announce(ctx, cache.Announcement{Sessions: append(ids, d.session)})
	return nil
}

// Announce ends sessions at this node that were revoked in the token store
// otherwise than by this manager, and tells the other nodes, later if the cache
// does not answer now. Of announced subjects everything is looked at again, as
// after a suspension. It does not stop when ctx ends.
func (m *Manager) Announce(ctx context.Context, a cache.Announcement) {
	m.receive(a)
	m.tell(ctx, a)
}

// tell tells the other nodes. If the cache does not take it, they learn of
// it from the token store within the interval; and it is tried again.
func (m *Manager) tell(ctx context.Context, a cache.Announcement) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cacheTimeout)
	defer cancel()
	err := m.cache.Announce(ctx, a)
	if err == nil {
		return
	}
	m.log.Warn("revocation cannot be announced", "sessions", len(a.Sessions), "error", err)
	m.debts.mu.Lock()
	defer m.debts.mu.Unlock()
	if len(m.debts.untold.Sessions)+len(m.debts.untold.Subjects) < maxDebts {
		m.debts.untold.Sessions = append(m.debts.untold.Sessions, a.Sessions...)
		m.debts.untold.Subjects = append(m.debts.untold.Subjects, a.Subjects...)
	}
}

// owing reports whether there is anything to pay.
func (d *debts) owing() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.owed)+len(d.untold.Sessions)+len(d.untold.Subjects) > 0
}
