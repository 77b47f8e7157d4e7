package storetest

import (
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

var outboxTests = []test{
	{name: "handed out, and finished", run: testOutbox},
	{name: "handed out again", run: testOutboxAgain},
	{name: "given up", run: testOutboxGivenUp},
	{name: "limited", run: testOutboxLimit},
	{name: "by kind", run: testOutboxKinds},
	{name: "taken by many at once", run: testOutboxRace, races: true},
}

// enqueue adds an entry that is given up after d.
func (e *env) enqueue(target string, d time.Duration) tokenstore.OutboxEntry {
	e.Helper()
	entry := tokenstore.OutboxEntry{
		ID:      e.id(),
		Kind:    tokenstore.OutboxBackchannelLogout,
		Target:  target,
		Payload: []byte{0, 0xff, 'x'},
		NotBy:   e.now().Add(d).Truncate(time.Second),
	}
	e.ok(e.Enqueue(e.ctx, entry))
	return entry
}

// take takes what is due, for a minute.
func (e *env) take() []tokenstore.OutboxEntry {
	e.Helper()
	entries, err := e.TakeOutbox(e.ctx, 10, time.Minute)
	e.ok(err)
	return entries
}

func testOutbox(e *env) {
	e.same("entries of an empty outbox", len(e.take()), 0)
	want := e.enqueue("client", time.Hour)
	got := e.take()
	if len(got) != 1 {
		e.Fatalf("took %d entries, want 1", len(got))
	}
	want.Attempts = got[0].Attempts
	e.same("entry", got[0], want)
	e.same("taken again within the lease", len(e.take()), 0)
	e.ok(e.FinishOutbox(e.ctx, want.ID, 0))
	e.advance(10 * time.Minute)
	e.same("taken after it was finished", len(e.take()), 0)
	e.ok(e.FinishOutbox(e.ctx, want.ID, 0)) // by two that took it
}

func testOutboxAgain(e *env) {
	want := e.enqueue("client", 24*time.Hour)
	attempts := e.take()[0].Attempts
	// Not finished within its lease.
	e.advance(2 * time.Minute)
	got := e.take()
	if len(got) != 1 || got[0].ID != want.ID || got[0].Attempts != attempts+1 {
		e.Fatalf("took %+v, want %s at attempt %d", got, want.ID, attempts+1)
	}
	// Put off.
	e.ok(e.FinishOutbox(e.ctx, want.ID, 10*time.Minute))
	e.advance(8 * time.Minute)
	e.same("taken before it is due", len(e.take()), 0)
	e.advance(4 * time.Minute)
	got = e.take()
	if len(got) != 1 || got[0].Attempts != attempts+2 {
		e.Fatalf("took %+v, want %s at attempt %d", got, want.ID, attempts+2)
	}
}

func testOutboxGivenUp(e *env) {
	e.enqueue("short", time.Minute)
	long := e.enqueue("long", time.Hour)
	e.advance(2 * time.Minute)
	got := e.take()
	if len(got) != 1 || got[0].ID != long.ID {
		e.Errorf("took %+v, want only the entry that is not given up", got)
	}
	report, err := e.Maintain(e.ctx, longest)
	e.ok(err)
	e.same("purged", report.Purged, 1)
	e.advance(2 * time.Minute)
	e.same("taken after the purge", len(e.take()), 1)
}

func testOutboxLimit(e *env) {
	want := make(map[uuid.UUID]bool)
	for range 7 {
		want[e.enqueue("client", time.Hour).ID] = true
	}
	for _, n := range []int{3, 3, 1, 0} {
		got, err := e.TakeOutbox(e.ctx, 3, time.Minute)
		e.ok(err)
		e.same("entries in a batch", len(got), n)
		for _, entry := range got {
			if !want[entry.ID] {
				e.Errorf("entry %s was taken twice, or never queued", entry.ID)
			}
			delete(want, entry.ID)
		}
	}
}

// testOutboxKinds: who asks for some kinds leaves the others to those who can
// deal with them.
func testOutboxKinds(e *env) {
	logout := e.enqueue("client", time.Hour)
	revocation := logout
	revocation.ID, revocation.Kind = e.id(), tokenstore.OutboxProviderRevocation
	e.ok(e.Enqueue(e.ctx, revocation))
	takeOf := func(kinds ...tokenstore.OutboxKind) []uuid.UUID {
		e.Helper()
		entries, err := e.TakeOutbox(e.ctx, 10, time.Minute, kinds...)
		e.ok(err)
		var ids []uuid.UUID
		for _, entry := range entries {
			ids = append(ids, entry.ID)
		}
		return ids
	}
	e.same("entries of a kind that is not there", takeOf("other"), []uuid.UUID(nil))
	e.same("revocations", takeOf(tokenstore.OutboxProviderRevocation), []uuid.UUID{revocation.ID})
	e.same("what is left", takeOf(), []uuid.UUID{logout.ID})
	e.advance(2 * time.Minute)
	e.same("of two kinds", len(takeOf(tokenstore.OutboxProviderRevocation, tokenstore.OutboxBackchannelLogout)), 2)
	_, err := e.TakeOutbox(e.ctx, 10, time.Minute, "\x00")
	e.want("TakeOutbox of no kind", err, tokenstore.ErrInvalid)
}

func testOutboxRace(e *env) {
	for range e.rounds(30, 6) {
		const entries, callers = 12, 6
		for range entries {
			e.enqueue("client", 24*time.Hour)
		}
		taken := make([][]tokenstore.OutboxEntry, callers)
		errs := make([]error, callers)
		inStep(callers, func(i int) { taken[i], errs[i] = e.node(i).TakeOutbox(e.ctx, 3, time.Hour) })
		e.ok(errors.Join(errs...))
		seen := make(map[uuid.UUID]bool)
		for _, list := range append(taken, e.take()) {
			for _, entry := range list {
				if seen[entry.ID] {
					e.Errorf("entry %s was handed to two callers", entry.ID)
				}
				seen[entry.ID] = true
				e.ok(e.FinishOutbox(e.ctx, entry.ID, 0))
			}
		}
		e.same("entries handed out", len(seen), entries)
	}
}
