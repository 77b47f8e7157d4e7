package session

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/flows/handle"
)

// A site may go on for less long than others while the store is away.
func TestIsStale(t *testing.T) {
	w := newWorld(t)
	n := w.node()
	s := n.signIn()
	h, err := handle.ParseSession(w.keys, s.Handle)
	if err != nil {
		t.Fatal(err)
	}
	const off, short = -1, 5 * time.Minute
	check := func(when string, wantOff, wantShort bool) {
		t.Helper()
		n.is(s, nil, when)
		if got := n.IsStale(h.ID, off); got != wantOff {
			t.Errorf("%s, off: IsStale() = %v", when, got)
		}
		if got := n.IsStale(h.ID, short); got != wantShort {
			t.Errorf("%s, 5m: IsStale() = %v", when, got)
		}
		if n.IsStale(uuid.Nil, off) {
			t.Errorf("%s: a token without a session is stale", when)
		}
	}
	check("store up", false, false)
	w.clock.advance(2 * time.Minute)
	check("store up, checked anew", false, false)
	n.store.cut.Store(true)
	w.clock.advance(30 * time.Second)
	check("store down, and not asked yet", false, false)
	w.clock.advance(time.Minute)
	check("store down for longer than it goes unasked", true, false)
	w.clock.advance(5 * time.Minute)
	check("store down for longer than five minutes", true, true)
	n.store.cut.Store(false)
	n.tick(t.Context())
	check("store up again", false, false)
}
