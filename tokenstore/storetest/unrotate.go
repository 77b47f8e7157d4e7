package storetest

import (
	"errors"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

var unrotateTests = []test{
	{name: "a refusal consumes nothing", run: testUnrotate},
	{name: "only at that generation", run: testUnrotateMoved},
	{name: "not of a revoked session", run: testUnrotateRevoked},
	{name: "restores the idle expiry", run: testUnrotateIdle},
	{name: "does not open a new grace", run: testUnrotateGrace},
	{name: "of a generation ahead", run: testUnrotateAhead},
	{name: "at once with the next rotation", run: testUnrotateRace, races: true},
}

// unrotate puts a rotation back.
func (e *env) unrotate(r tokenstore.RotationResult) error {
	return e.UnrotateSession(e.ctx, r.Session.ID, r.Session.Generation, r.PreviousRotatedAt)
}

// testUnrotate: policy refuses a refresh; long after the grace, when it allows
// again, the same token still works.
func testUnrotate(e *env) {
	s := e.session(e.subject("ann"))
	for range 3 {
		e.unchanged(s.ID, func() { e.ok(e.unrotate(e.rotate(s, 0))) })
		e.advance(10 * time.Minute)
	}
	e.same("successor", e.rotate(s, 0).Session.Generation, uint32(1))
	e.live(s.ID)
}

func testUnrotateMoved(e *env) {
	s := e.session(e.subject("ann"))
	first := e.rotate(s, 0)
	second := e.rotate(s, 1)
	e.unchanged(s.ID, func() {
		e.want("UnrotateSession of one that moved on", e.unrotate(first), tokenstore.ErrConflict)
		unknown := second
		unknown.Session.ID = e.id()
		e.want("UnrotateSession of an unknown one", e.unrotate(unknown), tokenstore.ErrConflict)
	})
	e.ok(e.unrotate(second))
	e.unchanged(s.ID, func() {
		e.want("UnrotateSession again", e.unrotate(second), tokenstore.ErrConflict)
	})
}

func testUnrotateRevoked(e *env) {
	s := e.session(e.subject("ann"))
	r := e.rotate(s, 0)
	_, err := e.RevokeSession(e.ctx, s.ID)
	e.ok(err)
	e.unchanged(s.ID, func() {
		e.want("UnrotateSession of a revoked one", e.unrotate(r), tokenstore.ErrConflict)
	})
}

// testUnrotateIdle: a refresh that was refused is no use of the session.
func testUnrotateIdle(e *env) {
	s := e.session(e.subject("ann"))
	e.advance(50 * time.Minute)
	e.ok(e.unrotate(e.rotate(s, 0)))
	e.advance(20 * time.Minute)
	e.dead(s.ID, tokenstore.ErrExpired)
}

// testUnrotateGrace: what was older than the grace before the refusal is so
// after it.
func testUnrotateGrace(e *env) {
	s := e.session(e.subject("ann"))
	e.rotate(s, 0)
	e.advance(time.Minute)
	e.ok(e.unrotate(e.rotate(s, 1)))
	_, err := e.Rotate(e.ctx, presented(s, 0))
	e.want("Rotate of the generation before", err, tokenstore.ErrReused)
}

func testUnrotateAhead(e *env) {
	s := e.session(e.subject("ann"))
	r := e.rotate(s, 7)
	e.ok(e.unrotate(r))
	e.advance(time.Minute)
	e.same("successor", e.rotate(s, 7).Session.Generation, uint32(8))
}

// testUnrotateRace: a holder's retry goes on with the successor while policy
// puts the rotation back. Either way the holder is not taken for a thief.
func testUnrotateRace(e *env) {
	ann := e.subject("ann")
	for range e.rounds(100, 20) {
		s := e.session(ann)
		r := e.rotate(s, 0)
		var rotated, put error
		inStep(2, func(i int) {
			if i == 0 {
				_, rotated = e.node(i).Rotate(e.ctx, presented(s, 1))
			} else {
				put = e.unrotate(r)
			}
		})
		e.ok(rotated)
		if put != nil && !errors.Is(put, tokenstore.ErrConflict) {
			e.Errorf("UnrotateSession: %v, want no error or a conflict", put)
		}
		e.live(s.ID)
		e.same("generation", e.load(s.ID).Generation, uint32(2))
	}
}
