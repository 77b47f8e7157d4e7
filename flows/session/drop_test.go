package session

import (
	"context"
	"sync"
	"testing"
	"time"
)

// A dropped entry is not in the table: whoever finds one there would look for it
// again as often as it may, within a moment, and answer 503 to a live session.
func TestDrop_LeavesNothingToFind(t *testing.T) {
	n := newWorld(t).node()
	id := n.signIn().Session.ID
	live := n.table.get(&id)
	ctx, cancel := context.WithCancel(t.Context())
	var looking sync.WaitGroup
	looking.Go(func() {
		for ctx.Err() == nil {
			if e := n.table.get(&id); e != nil && e.verdict() != nil && n.table.get(&id) == e {
				t.Error("a dropped entry is still in the table")
				return
			}
		}
	})
	for range 200_000 {
		e := &entry{id: id, signed: live.signed}
		e.who.Store(live.who.Load())
		n.table.put(e)
		n.drop(e)
	}
	cancel()
	looking.Wait()
}

// What the store says of an entry counts for the request that waits for it, though
// it had to make room meanwhile.
func TestEvictedWhileItIsChecked_AnEndedSessionIsNotServed(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, w *world, s Started) error{
		"revoked": func(t *testing.T, w *world, s Started) error {
			_, err := w.store.RevokeSession(t.Context(), s.Session.ID)
			return err
		},
		"suspended": func(t *testing.T, w *world, s Started) error {
			return w.store.Suspend(t.Context(), s.Session.Subject, true)
		},
		"expired": func(_ *testing.T, w *world, _ Started) error {
			w.clock.advance(31 * 24 * time.Hour)
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			n := w.node(func(c *Config) { c.MaxEntries = 1 })
			s := n.signIn()
			evict := sync.OnceValue(func() error {
				n.signIn()
				return end(t, w, s)
			})
			n.store.before = func(_ context.Context, method string) error {
				if method == "Revalidate" {
					return evict()
				}
				return nil
			}
			w.clock.advance(time.Minute)
			n.is(s, ErrNoSession, "evicted and ended while it is checked")
		})
	}
}
