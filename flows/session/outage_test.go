package session

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/cache"
	"github.com/gatehouse-auth/gatehouse/flows/handle"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// A store that is down never logs anybody out.
func TestServeStale(t *testing.T) {
	w := newWorld(t)
	n := w.node()
	known, unknown := n.signIn(), w.node().signIn()
	n.store.cut.Store(true)
	for at := time.Duration(0); at < 10*time.Minute; at += 30 * time.Second {
		n.is(known, nil, "known, store down")
		n.is(unknown, ErrUnavailable, "unknown, store down")
		if at%time.Minute == 0 {
			n.tick(t.Context())
		}
		w.clock.advance(30 * time.Second)
	}
	n.is(known, ErrUnavailable, "known, after serve_stale")
	n.store.cut.Store(false)
	n.tick(t.Context())
	n.is(known, nil, "known, store up again")
	n.is(unknown, nil, "unknown, store up again")
}

// A session in use does not go idle because its use cannot be recorded; one
// that is idle is refused, but not as ended, for another node may know better.
func TestIdleWhileTheStoreIsDown(t *testing.T) {
	w := newWorld(t)
	n := w.node()
	idle := func(s *Start) { s.Idle = 2 * time.Minute }
	used, unused := n.signIn(idle), n.signIn(idle)
	n.store.cut.Store(true)
	for range 8 {
		w.clock.advance(time.Minute)
		n.is(used, nil, "in use")
	}
	n.is(unused, ErrUnavailable, "idle")
}

// While the store is known to be down, requests do not wait for it; the first
// that find it down wait for one query.
func TestOutageCostsNoWaiting(t *testing.T) {
	w := newWorld(t)
	n := w.node()
	s := n.signIn()
	w.clock.advance(time.Minute)
	n.store.cut.Store(true)
	n.is(s, nil, "found down")

	hang := make(chan struct{})
	n.store.hook(func(context.Context, string) error { <-hang; return nil }, nil)
	w.clock.advance(2 * time.Second)
	before := n.store.total()
	for range 100 {
		n.is(s, nil, "while the store hangs")
	}
	eventually(t, "it is tried in the background", func() bool { return n.store.total() > before })
	if got := n.store.total() - before; got != 1 {
		t.Errorf("a hundred requests tried the store %d times", got)
	}
	n.store.cut.Store(false)
	close(hang)
	eventually(t, "the outage is over", func() bool { return !n.outage.on() })
}

// A revoked session stays revoked while the store is down, and after it came
// back without the revocation.
func TestRevokedStaysRevoked(t *testing.T) {
	w := newWorld(t)
	a, b := w.node(), w.node()
	b.run()
	s := a.signIn()
	b.is(s, nil, "first sight")
	if err := a.End(t.Context(), s.Session.ID); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the announcement arrives", func() bool { return b.refusal(s.Session.ID) != nil })
	b.store.cut.Store(true)
	b.is(s, ErrNoSession, "revoked, store down")
	w.clock.advance(30 * time.Minute)
	b.is(s, ErrNoSession, "half an hour later")
}

// lossy makes a store forget one revocation, as a fail-over to a replica that
// was behind does.
type lossy struct {
	tokenstore.Store
	mu   sync.Mutex
	lost map[sessionID]bool
}

func (l *lossy) Session(ctx context.Context, id sessionID) (tokenstore.Session, error) {
	row, err := l.Store.Session(ctx, id)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lost[id] {
		row.RevokedAt = time.Time{}
	}
	return row, err
}

func (l *lossy) RevokeAgain(ctx context.Context, ids []sessionID) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range ids {
		delete(l.lost, id)
	}
	return l.Store.RevokeAgain(ctx, ids)
}

// The revocations that a fail-over lost are known before the first answer of
// the store that came back is believed, and are written again.
func TestFailOver(t *testing.T) {
	w := newWorld(t)
	s := w.node().signIn()
	n := w.node()
	other := n.signIn()
	if err := w.node().End(t.Context(), s.Session.ID); err != nil {
		t.Fatal(err)
	}
	failedOver := &lossy{Store: w.store, lost: map[sessionID]bool{s.Session.ID: true}}
	n.store.Store = failedOver
	w.clock.advance(time.Minute)
	n.store.cut.Store(true)
	n.is(other, nil, "which meets the outage")
	n.store.cut.Store(false)
	n.is(s, ErrNoSession, "revoked, in the store's own opinion live")
	if got := n.store.count("RevokeAgain"); got != 1 {
		t.Errorf("revocations were written again %d times", got)
	}
	if len(failedOver.lost) != 0 {
		t.Error("the revocation was not written again")
	}
	w.clock.advance(2 * time.Second)
	n.tick(t.Context())
	if got := n.store.count("RevokeAgain"); got != 1 {
		t.Errorf("revocations were written again %d times for one outage", got)
	}
}

// With the cache away as well, this node's own knowledge is written, and the
// cache is asked again until it answers.
func TestFailOverWithoutCache(t *testing.T) {
	w := newWorld(t)
	n := w.node()
	own, others, witness := n.signIn(), n.signIn(), n.signIn()
	if err := n.End(t.Context(), own.Session.ID); err != nil {
		t.Fatal(err)
	}
	n.cache.cut.Store(true)
	if err := w.node().End(t.Context(), others.Session.ID); err != nil {
		t.Fatal(err)
	}
	failedOver := &lossy{Store: w.store, lost: map[sessionID]bool{own.Session.ID: true, others.Session.ID: true}}
	n.store.Store = failedOver
	w.clock.advance(time.Minute)
	n.store.cut.Store(true)
	n.is(witness, nil, "which meets the outage")
	n.store.cut.Store(false)
	n.tick(t.Context())
	if failedOver.lost[own.Session.ID] {
		t.Error("what this node knew was not written again")
	}
	n.cache.cut.Store(false)
	w.clock.advance(2 * time.Second)
	n.tick(t.Context())
	if len(failedOver.lost) != 0 {
		t.Error("what the cache knows was not written again")
	}
}

// One failed query is no outage for those that the store answers.
func TestBlip(t *testing.T) {
	w := newWorld(t)
	n := w.node()
	s, unseen := n.signIn(), w.node().signIn()
	fail := true
	n.store.hook(func(context.Context, string) error {
		if fail {
			fail = false
			return tokenstore.ErrUnavailable
		}
		return nil
	}, nil)
	n.is(unseen, ErrUnavailable, "met by the blip")
	n.is(unseen, nil, "after it")
	if n.outage.on() {
		t.Error("still down")
	}
	w.clock.advance(time.Minute)
	n.is(s, nil, "checked")
	if got := n.store.count("Revalidate"); got != 1 {
		t.Errorf("served unchecked after a blip (%d queries)", got)
	}
}

func TestSignInWhileTheStoreIsDown(t *testing.T) {
	w := newWorld(t)
	n := w.node()
	n.store.cut.Store(true)
	_, err := n.SignIn(t.Context(), Start{ClientID: host, Claims: alice()})
	if !errors.Is(err, ErrUnavailable) || !errors.Is(err, tokenstore.ErrUnavailable) {
		t.Errorf("signing in: %v", err)
	}
}

// A revocation that could not be stored is an error. It holds at this node and
// wherever the announcement arrives, and is stored later.
func TestEndWhileTheStoreIsDown(t *testing.T) {
	w := newWorld(t)
	a, b := w.node(), w.node()
	b.run()
	portal := a.signIn(func(s *Start) { s.ClientID = "portal" })
	site := a.signIn(childOf(portal, host))
	faraway := b.signIn(childOf(portal, "far.example.com"))
	b.is(site, nil, "first sight")
	a.store.cut.Store(true)
	if err := a.End(t.Context(), site.Session.ID); !errors.Is(err, ErrUnavailable) {
		t.Fatalf("ending while the store is down: %v", err)
	}
	a.is(site, ErrNoSession, "at this node")
	a.is(portal, ErrNoSession, "its portal sign-in")
	eventually(t, "the other node hears of it", func() bool {
		_, err := b.Authenticate(t.Context(), host, site.Handle)
		return errors.Is(err, ErrNoSession)
	})
	b.is(faraway, nil, "one that only the store can tell of")

	a.store.cut.Store(false)
	a.pay(t.Context())
	for _, s := range []Started{portal, site, faraway} {
		if row, err := w.store.Session(t.Context(), s.Session.ID); err != nil || row.RevokedAt.IsZero() {
			t.Errorf("%s is not revoked in the store: %v", s.Session.ClientID, err)
		}
	}
	eventually(t, "the other node hears of the rest", func() bool {
		_, err := b.Authenticate(t.Context(), "far.example.com", faraway.Handle)
		return errors.Is(err, ErrNoSession)
	})
}

// A fail-over is also made good by a node that missed it.
func TestRunWritesRevocationsAgain(t *testing.T) {
	w := newWorld(t)
	s := w.node().signIn()
	if err := w.cache.Announce(t.Context(), cache.Announcement{Sessions: []sessionID{s.Session.ID}}); err != nil {
		t.Fatal(err)
	}
	n := w.node()
	n.run()
	eventually(t, "the row is revoked", func() bool {
		row, err := w.store.Session(t.Context(), s.Session.ID)
		return err == nil && !row.RevokedAt.IsZero()
	})
	n.is(s, ErrNoSession, "revoked according to the cache")
	n.is(Started{Handle: handle.MintSession(w.keys, handle.Handle{ID: s.Session.ID}), Session: s.Session}, ErrNoSession, "with a guessed secret")
}
