package storetest

import (
	"errors"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

var stormTests = []test{
	{name: "32 callers rotate one token", run: testRotateStorm, races: true},
	{name: "a revocation beats a refresh", run: testRevokeStorm, races: true},
	{name: "a suspension beats a refresh", run: testSuspendStorm, races: true},
	{name: "a refresh below a reuse", run: testReuseStorm, races: true},
}

// testRotateStorm: 32 callers present one token in step, round after round.
// There is one successor, the same for all of them; nobody is taken for a
// thief, and every thief is caught.
func testRotateStorm(e *env) {
	const callers = 32
	ann := e.subject("ann")
	for range e.rounds(500, 50) {
		s := e.session(ann)
		e.rotate(s, 0)
		results := make([]tokenstore.RotationResult, callers)
		errs := make([]error, callers)
		inStep(callers, func(i int) { results[i], errs[i] = e.node(i).Rotate(e.ctx, presented(s, 1)) })
		if err := errors.Join(errs...); err != nil {
			e.Fatalf("false reuse: %v", err)
		}
		winners := 0
		for _, r := range results {
			if !r.Retry {
				winners++
			}
			if r.Session.Generation != 2 {
				e.Fatalf("successor is %d, want 2", r.Session.Generation)
			}
			if !r.Session.RotatedAt.Equal(results[0].Session.RotatedAt) {
				e.Fatalf("callers were told of rotations at %v and %v", results[0].Session.RotatedAt, r.Session.RotatedAt)
			}
		}
		if winners != 1 {
			e.Fatalf("%d callers rotated, want one", winners)
		}
		e.live(s.ID)

		// The grandparent, replayed by many at once: caught, and nobody gets
		// a token out of it.
		inStep(callers, func(i int) { results[i], errs[i] = e.node(i).Rotate(e.ctx, presented(s, 0)) })
		caught := 0
		for i, err := range errs {
			switch {
			case errors.Is(err, tokenstore.ErrReused):
				caught += len(results[i].Reused)
			case !errors.Is(err, tokenstore.ErrRevoked):
				e.Fatalf("replay of the grandparent: %v, want reuse", err)
			}
		}
		if caught != 1 {
			e.Fatalf("replays reported %d revoked sessions, want one", caught)
		}
		e.dead(s.ID, tokenstore.ErrRevoked)
	}
}

// testRevokeStorm: whatever a refresh that races a revocation is told, no
// token works afterwards.
func testRevokeStorm(e *env) {
	ann := e.subject("ann")
	for range e.rounds(1000, 100) {
		s := e.session(ann)
		var rotated, revoked error
		inStep(2, func(i int) {
			if i == 0 {
				_, rotated = e.node(i).Rotate(e.ctx, presented(s, 0))
			} else {
				_, revoked = e.node(i).RevokeSession(e.ctx, s.ID)
			}
		})
		e.ok(revoked)
		if rotated != nil {
			e.want("Rotate against RevokeSession", rotated, tokenstore.ErrRevoked)
		}
		e.dead(s.ID, tokenstore.ErrRevoked)
		for generation := range uint32(3) {
			_, err := e.Rotate(e.ctx, presented(s, generation))
			e.want("Rotate after RevokeSession", err, tokenstore.ErrRevoked)
		}
		if e.Failed() {
			return
		}
	}
}

func testSuspendStorm(e *env) {
	for round := range e.rounds(100, 20) {
		s := e.session(e.subject(named("ann", round)))
		var rotated, suspended error
		inStep(2, func(i int) {
			if i == 0 {
				_, rotated = e.node(i).Rotate(e.ctx, presented(s, 0))
			} else {
				suspended = e.node(i).Suspend(e.ctx, s.Subject, true)
			}
		})
		e.ok(suspended)
		if rotated != nil {
			e.want("Rotate against Suspend", rotated, tokenstore.ErrSuspended)
		}
		_, err := e.Rotate(e.ctx, presented(s, e.load(s.ID).Generation))
		e.want("Rotate after Suspend", err, tokenstore.ErrSuspended)
	}
}

// testReuseStorm: the holder refreshes while a thief replays an older token.
// The family is dead afterwards, whoever came first.
func testReuseStorm(e *env) {
	ann := e.subject("ann")
	for range e.rounds(200, 30) {
		s := e.session(ann)
		e.rotate(s, 0)
		e.rotate(s, 1)
		errs := make([]error, 8)
		inStep(len(errs), func(i int) {
			_, errs[i] = e.node(i).Rotate(e.ctx, presented(s, uint32(2*(i%2))))
		})
		caught := false
		for i, err := range errs {
			caught = caught || errors.Is(err, tokenstore.ErrReused)
			if err == nil && i%2 == 0 {
				e.Error("a thief got a token")
			}
		}
		if !caught {
			e.Error("the thief was not caught")
		}
		e.dead(s.ID, tokenstore.ErrRevoked)
		_, err := e.Rotate(e.ctx, presented(s, 3))
		e.want("Rotate after the reuse", err, tokenstore.ErrRevoked)
	}
}
