package signout

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/flows/oautherror"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// What clients are to be told is queued in the token store, and a sign-out that the
// store cannot take is stored later, by whoever heard of it. What is to be told of it
// is found out then, of the sessions that have ended since.

// telling finds out what clients are to be told of a sign-out: of what is live, or with
// a time of what was live then.
type telling func(ctx context.Context, since time.Time) ([]tokenstore.OutboxEntry, error)

// owedSkew is how far the token store's clock may be from ours. A client may be told
// twice of what ended within it.
const owedSkew = time.Minute

type owedLogout struct {
	tell  telling
	since time.Time
}

// maxOwedLogouts bounds what is remembered of an outage.
const maxOwedLogouts = 10_000

// owedLogouts are those of sign-outs that the token store could not take, by the
// session or subject that was signed out.
type owedLogouts struct {
	mu   sync.Mutex
	owed map[string]owedLogout
}

func (o *owedLogouts) add(key string, l owedLogout) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.owed == nil {
		o.owed = make(map[string]owedLogout)
	}
	if len(o.owed) < maxOwedLogouts {
		o.owed[key] = l
	}
}

func (o *owedLogouts) take(key string) (l owedLogout, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	l, ok = o.owed[key]
	delete(o.owed, key)
	return l, ok
}

// tellAndEnd queues what clients are to be told, and then ends the sessions: once
// they have ended nobody finds out again who is to be told, and a crash in between
// would be the last that is heard of it. key is what is signed out.
func (m *Manager) tellAndEnd(ctx context.Context, key string, tell telling, end func() error) error {
	if !m.tellsClients() {
		return end()
	}
	untold := m.queue(ctx, tell, time.Time{})
	if untold != nil {
		m.owed.add(key, owedLogout{tell, m.Now().Add(-owedSkew)})
	}
	if err := end(); err != nil {
		return err
	}
	if l, owed := m.owed.take(key); owed && untold != nil {
		// The store answers again: who is to be told is found among what has just ended.
		if untold = m.queue(ctx, l.tell, l.since); untold != nil {
			m.Logger.WarnContext(ctx, "clients will not be told of a sign-out", "session", key, "error", untold)
		}
	}
	m.Kick()
	return nil
}

func (m *Manager) queue(ctx context.Context, tell telling, since time.Time) error {
	entries, err := tell(ctx, since)
	for _, e := range entries {
		if err != nil {
			break
		}
		err = m.Store.Enqueue(ctx, e)
	}
	return err
}

// TellOwed queues what clients are to be told of a sign-out that the token store is
// about to take, or has just taken, if that could not be done at the time. An error
// says that it is to be tried again.
func (m *Manager) TellOwed(ctx context.Context, session uuid.UUID, subject string) error {
	key := subject
	if key == "" {
		key = session.String()
	}
	l, ok := m.owed.take(key)
	if !ok {
		return nil
	}
	err := m.queue(ctx, l.tell, l.since)
	switch {
	case err == nil:
		m.Kick()
	case oautherror.IsAway(err):
		m.owed.add(key, l)
		return err
	default:
		m.Logger.WarnContext(ctx, "clients will not be told of a sign-out", "session", key, "error", err)
	}
	return nil
}
