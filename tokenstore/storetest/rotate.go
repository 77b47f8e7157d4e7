package storetest

import (
	"math"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

var rotateTests = []test{
	{name: "the current generation", run: testRotateCurrent},
	{name: "unknown", run: testRotateUnknown},
	{name: "another secret, client or key", run: testRotateMismatch},
	{name: "judged in order", run: testRotateOrder},
	{name: "retried within the grace", run: testRotateRetry},
	{name: "the grace is not prolonged", run: testRotateGraceFixed},
	{name: "no grace", run: testRotateNoGrace},
	{name: "reused after the grace", run: testRotateReuse},
	{name: "the grandparent is reused even within the grace", run: testRotateGrandparent},
	{name: "reused, all of the subject revoked", run: testRotateReuseSubject},
	{name: "reused, with children", run: testRotateReuseChildren},
	{name: "a generation ahead", run: testRotateAhead},
	{name: "the last generation", run: testRotateLast},
}

func testRotateCurrent(e *env) {
	s := e.session(e.subject("ann"), func(n *tokenstore.NewSession) {
		n.Claims, n.Cnf, n.Resource, n.AMR = []byte("sealed"), "key", []string{"https://a.example"}, []string{"pwd"}
	})
	want := s
	for generation := range uint32(4) {
		e.advance(time.Minute)
		r := e.rotate(s, generation)
		e.near("rotated at", r.Session.RotatedAt, e.now())
		if !r.PreviousRotatedAt.Equal(want.RotatedAt) {
			e.Errorf("time of the rotation before is %v, want %v", r.PreviousRotatedAt, want.RotatedAt)
		}
		want.Generation, want.RotatedAt = generation+1, r.Session.RotatedAt
		e.same("session as returned", withoutNow(r.Session), withoutNow(want))
		e.same("session as read", withoutNow(e.load(s.ID)), withoutNow(want))
		e.sameIDs("revoked", r.Reused, nil)
	}
}

func testRotateUnknown(e *env) {
	s := e.session(e.subject("ann"))
	s.ID = e.id()
	_, err := e.Rotate(e.ctx, presented(s, 0))
	e.want("Rotate of an unknown session", err, tokenstore.ErrNotFound)
}

func testRotateMismatch(e *env) {
	bound := e.session(e.subject("ann"), func(n *tokenstore.NewSession) { n.Cnf = "key" })
	unbound := e.session(bound.Subject)
	tests := []struct {
		name    string
		session tokenstore.Session
		change  func(*tokenstore.Rotation)
	}{
		{"another secret", unbound, func(r *tokenstore.Rotation) { r.SecretHash = hash("guessed") }},
		{"no secret", unbound, func(r *tokenstore.Rotation) { r.SecretHash = nil }},
		{"another client", unbound, func(r *tokenstore.Rotation) { r.ClientID = "mallory" }},
		{"another case of the client", unbound, func(r *tokenstore.Rotation) { r.ClientID = "App" }},
		{"no client", unbound, func(r *tokenstore.Rotation) { r.ClientID = "" }},
		{"another key", bound, func(r *tokenstore.Rotation) { r.Cnf = "other" }},
		{"no key for a bound one", bound, func(r *tokenstore.Rotation) { r.Cnf = "" }},
		{"a key for an unbound one", unbound, func(r *tokenstore.Rotation) { r.Cnf = "key" }},
	}
	e.rotate(bound, 0)
	e.rotate(unbound, 0)
	e.advance(time.Minute) // generation 0 is past its grace
	for _, tt := range tests {
		// Whatever the generation: a stranger cannot revoke the family either.
		for generation := range uint32(4) {
			r := presented(tt.session, generation)
			r.RevokeSubject = true
			tt.change(&r)
			e.unchanged(tt.session.ID, func() {
				_, err := e.Rotate(e.ctx, r)
				e.want("Rotate with "+tt.name, err, tokenstore.ErrMismatch)
			})
		}
	}
	e.rotate(bound, 1)
	e.rotate(unbound, 1)
}

// testRotateOrder: a session that ended for several reasons, presented with
// several faults.
func testRotateOrder(e *env) {
	s := e.session(e.subject("ann"))
	e.rotate(s, 0)
	e.rotate(s, 1)
	wrong := presented(s, 0)
	wrong.ClientID = "mallory"
	check := func(what string, want error) {
		e.Helper()
		e.unchanged(s.ID, func() {
			for generation := range uint32(4) { // reused, within the grace, current, ahead
				_, err := e.Rotate(e.ctx, presented(s, generation))
				e.want("Rotate of a session "+what, err, want)
			}
			_, err := e.Rotate(e.ctx, wrong)
			e.want("Rotate by another client of a session "+what, err, tokenstore.ErrMismatch)
		})
	}
	e.ok(e.Suspend(e.ctx, s.Subject, true))
	check("suspended", tokenstore.ErrSuspended)
	e.advance(2 * idle)
	check("suspended and expired", tokenstore.ErrExpired)
	_, err := e.RevokeSession(e.ctx, s.ID)
	e.ok(err)
	check("suspended, expired and revoked", tokenstore.ErrRevoked)
}

// retry presents a generation that must be answered as a retry.
func (e *env) retry(s tokenstore.Session, generation, successor uint32) {
	e.Helper()
	e.unchanged(s.ID, func() {
		e.Helper()
		r, err := e.Rotate(e.ctx, presented(s, generation))
		e.ok(err)
		if !r.Retry || r.Session.Generation != successor {
			e.Errorf("retry: %v, successor %d; want a retry with successor %d", r.Retry, r.Session.Generation, successor)
		}
		e.same("session as returned", withoutNow(r.Session), withoutNow(e.load(s.ID)))
	})
}

func testRotateRetry(e *env) {
	s := e.session(e.subject("ann"))
	e.rotate(s, 0)
	e.retry(s, 0, 1)
	e.advance(20 * time.Second)
	e.retry(s, 0, 1)
	e.rotate(s, 1)
	e.retry(s, 1, 2)
	e.live(s.ID)
}

func testRotateGraceFixed(e *env) {
	s := e.session(e.subject("ann"))
	e.rotate(s, 0)
	for range 2 {
		e.advance(12 * time.Second)
		e.retry(s, 0, 1)
	}
	// Neither the retries nor a touch moved the end of the grace.
	e.state(s.ID, s.ID)
	e.advance(12 * time.Second)
	_, err := e.Rotate(e.ctx, presented(s, 0))
	e.want("Rotate 36 s after the rotation", err, tokenstore.ErrReused)
	e.dead(s.ID, tokenstore.ErrRevoked)
}

func testRotateNoGrace(e *env) {
	s := e.session(e.subject("ann"))
	e.rotate(s, 0)
	r := presented(s, 0)
	r.Grace = 0
	_, err := e.Rotate(e.ctx, r)
	e.want("Rotate without a grace", err, tokenstore.ErrReused)
	e.dead(s.ID, tokenstore.ErrRevoked)
}

func testRotateReuse(e *env) {
	ann := e.subject("ann")
	s, other := e.session(ann), e.session(ann)
	e.rotate(s, 0)
	e.advance(time.Minute)
	r, err := e.Rotate(e.ctx, presented(s, 0))
	e.want("Rotate of a reused token", err, tokenstore.ErrReused)
	e.sameIDs("revoked", r.Reused, ids(s))
	e.dead(s.ID, tokenstore.ErrRevoked)
	e.near("revoked at", e.load(s.ID).RevokedAt, e.now())
	e.same("generation", e.load(s.ID).Generation, uint32(1))
	e.live(other.ID)
	// The successor is dead too.
	_, err = e.Rotate(e.ctx, presented(s, 1))
	e.want("Rotate of the successor", err, tokenstore.ErrRevoked)
	_, err = e.Rotate(e.ctx, presented(s, 0))
	e.want("Rotate of the reused token again", err, tokenstore.ErrRevoked)
}

func testRotateGrandparent(e *env) {
	s := e.session(e.subject("ann"))
	e.rotate(s, 0)
	e.rotate(s, 1)
	r, err := e.Rotate(e.ctx, presented(s, 0))
	e.want("Rotate of the grandparent", err, tokenstore.ErrReused)
	e.sameIDs("revoked", r.Reused, ids(s))
	e.dead(s.ID, tokenstore.ErrRevoked)
}

func testRotateReuseSubject(e *env) {
	ann, bob := e.subject("ann"), e.subject("bob")
	s, other, gone := e.session(ann), e.session(ann), e.session(ann)
	others := e.session(bob)
	_, err := e.RevokeSession(e.ctx, gone.ID)
	e.ok(err)
	e.rotate(s, 0)
	e.rotate(s, 1)
	p := presented(s, 0)
	p.RevokeSubject = true
	r, err := e.Rotate(e.ctx, p)
	e.want("Rotate of a reused token", err, tokenstore.ErrReused)
	e.sameIDs("revoked", r.Reused, ids(s, other))
	e.dead(s.ID, tokenstore.ErrRevoked)
	e.dead(other.ID, tokenstore.ErrRevoked)
	e.live(others.ID)
}

func testRotateReuseChildren(e *env) {
	ann := e.subject("ann")
	portal := e.session(ann)
	child := e.session(ann, childOf(portal.ID))
	e.rotate(portal, 0)
	e.advance(time.Minute)
	r, err := e.Rotate(e.ctx, presented(portal, 0))
	e.want("Rotate of a reused token", err, tokenstore.ErrReused)
	e.sameIDs("revoked", r.Reused, ids(portal, child))
	e.dead(child.ID, tokenstore.ErrRevoked)
}

// testRotateAhead: the database lost writes in a fail-over, and clients hold
// later generations than its rows.
func testRotateAhead(e *env) {
	s := e.session(e.subject("ann"))
	e.rotate(s, 0)
	e.advance(time.Minute)
	before := e.load(s.ID)
	r := e.rotate(s, 7)
	e.same("successor", r.Session.Generation, uint32(8))
	e.same("generation as read", e.load(s.ID).Generation, uint32(8))
	if !r.PreviousRotatedAt.Equal(before.RotatedAt) {
		e.Errorf("time of the rotation before is %v, want %v", r.PreviousRotatedAt, before.RotatedAt)
	}
	e.near("rotated at", r.Session.RotatedAt, e.now())
	e.retry(s, 7, 8)
	e.rotate(s, 8)
	_, err := e.Rotate(e.ctx, presented(s, 7))
	e.want("Rotate of what is older now", err, tokenstore.ErrReused)
}

func testRotateLast(e *env) {
	s := e.session(e.subject("ann"))
	r := e.rotate(s, math.MaxInt32)
	e.same("successor", r.Session.Generation, uint32(math.MaxInt32)+1)
	e.unchanged(s.ID, func() {
		if _, err := e.Rotate(e.ctx, presented(s, math.MaxUint32)); err == nil {
			e.Error("rotated the last generation, which has no successor")
		}
	})
	e.rotate(s, math.MaxUint32-1)
	e.unchanged(s.ID, func() { e.retry(s, math.MaxUint32-1, math.MaxUint32) })
}
