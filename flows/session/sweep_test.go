package session

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/flows/identity"
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// busy is a store that fails queries it could not answer in time.
type busy struct {
	tokenstore.Store
	now     func() time.Time
	can     int // sessions in a query; one to be touched counts for touchCost
	queries int
}

func (b *busy) Revalidate(_ context.Context, ids, touch []uuid.UUID) ([]tokenstore.SessionState, time.Time, error) {
	b.queries++
	if len(ids)+(touchCost-1)*len(touch) > b.can {
		return nil, time.Time{}, tokenstore.ErrUnavailable
	}
	end := b.now().Add(24 * time.Hour)
	states := make([]tokenstore.SessionState, len(ids))
	for i, id := range ids {
		states[i] = tokenstore.SessionState{ID: id, EndsAt: end, ExpiresAt: end}
	}
	return states, b.now(), nil
}

// take has the node know sessions, and returns how many of them are to be asked
// about and how many uses are to be recorded.
func (n *node) take(count int) (due func() (asked, touched int)) {
	who := &identity.Identity{Claims: alice()}
	entries := make([]*entry, count)
	for i := range entries {
		e := &entry{id: uuid.New(), idle: time.Hour, signed: &who.Claims}
		e.who.Store(who)
		e.setEnds(int64(24*time.Hour), int64(24*time.Hour))
		n.table.put(e)
		entries[i] = e
	}
	return func() (asked, touched int) {
		for _, e := range entries {
			if e.due(n.Manager.clock(), time.Minute, n.epoch.Load()) {
				asked++
			}
			if e.touchDue() {
				touched++
			}
		}
		return asked, touched
	}
}

// However many sessions are due, and used, at once: no query is too large for
// the store, or the next ones are smaller. The usual number takes one.
func TestSweepOfVeryMany(t *testing.T) {
	for _, tt := range []struct {
		name           string
		sessions, used int
		evicted        int
		can            int
		ticks, queries int
	}{
		{"usual", 16_000, 200, 0, 20_000, 1, 1},
		{"all used", 22_000, 22_000, 0, 20_000, 1, 5},
		{"all used, and many evicted", 8_000, 8_000, 10_000, 20_000, 1, 4},
		{"the store is busy", 22_000, 22_000, 0, 5_000, 3, 2 + 18},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			n := w.node()
			store := &busy{Store: w.store, now: w.clock.now, can: tt.can}
			n.store.Store = store
			due := n.take(tt.sessions)
			w.clock.advance(30 * time.Minute)
			for _, e := range n.table.all()[:tt.used] {
				e.use(n.Manager.clock())
			}
			for range tt.evicted {
				n.touch = append(n.touch, uuid.New())
			}
			if asked, touched := due(); asked != tt.sessions || touched != tt.used {
				t.Fatalf("%d are due and %d to be touched", asked, touched)
			}
			for range tt.ticks {
				n.tick(t.Context())
			}
			if asked, touched := due(); asked+touched+len(n.touch) > 0 {
				t.Errorf("%d are still due, %d to be touched, and %d evicted ones", asked, touched, len(n.touch))
			}
			if store.queries != tt.queries {
				t.Errorf("it took %d queries, want %d", store.queries, tt.queries)
			}
			if n.outage.on() {
				t.Error("the store is taken to be away")
			}
		})
	}
}

// The sweep after one that the store could not answer asks about fewer, and
// those after it about more again.
func TestSweepRecovers(t *testing.T) {
	w := newWorld(t)
	n := w.node()
	store := &busy{Store: w.store, now: w.clock.now}
	n.store.Store = store
	n.take(16_000)
	for _, tt := range []struct{ can, want int }{
		{0, 1}, {0, 1}, {0, 1}, {0, 1}, {0, 1}, {20_000, 8}, {20_000, 4}, {20_000, 2}, {20_000, 1}, {20_000, 1},
	} {
		w.clock.advance(time.Minute)
		before := store.queries
		store.can = tt.can
		n.tick(t.Context())
		if got := store.queries - before; got != tt.want {
			t.Errorf("a sweep took %d queries, want %d", got, tt.want)
		}
	}
}
