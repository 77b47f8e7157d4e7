package storetest

import (
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

var revokeTests = []test{
	{name: "one session", run: testRevokeSession},
	{name: "with its children", run: testRevokeChildren},
	{name: "all of a subject", run: testRevokeSubject},
	{name: "again after a fail-over", run: testRevokeAgain},
	{name: "while a child is created", run: testRevokeChildRace, races: true},
	{name: "while a detached session is created", run: testRevokeDetachedRace, races: true},
	{name: "by many at once", run: testRevokeRace, races: true},
}

func testRevokeSession(e *env) {
	ann := e.subject("ann")
	s, other := e.session(ann), e.session(ann)
	got, err := e.RevokeSession(e.ctx, s.ID)
	e.ok(err)
	e.sameIDs("revoked", got, ids(s))
	e.dead(s.ID, tokenstore.ErrRevoked)
	e.near("revoked at", e.load(s.ID).RevokedAt, e.now())
	e.live(other.ID)

	e.advance(time.Minute)
	e.unchanged(s.ID, func() {
		got, err = e.RevokeSession(e.ctx, s.ID)
		e.ok(err)
		e.sameIDs("revoked again", got, nil)
		_, err := e.Rotate(e.ctx, presented(s, 0))
		e.want("Rotate of a revoked session", err, tokenstore.ErrRevoked)
	})
	_, err = e.RevokeSession(e.ctx, e.id())
	e.want("RevokeSession of an unknown id", err, tokenstore.ErrNotFound)
}

func testRevokeChildren(e *env) {
	ann := e.subject("ann")
	portal, other := e.session(ann), e.session(ann)
	a, b, gone := e.session(ann, childOf(portal.ID)), e.session(ann, childOf(portal.ID)), e.session(ann, childOf(portal.ID))
	others := e.session(ann, childOf(other.ID))
	got, err := e.RevokeSession(e.ctx, gone.ID)
	e.ok(err)
	e.sameIDs("child revoked alone", got, ids(gone))
	e.live(portal.ID)

	got, err = e.RevokeSession(e.ctx, portal.ID)
	e.ok(err)
	e.sameIDs("revoked with children", got, ids(portal, a, b))
	e.dead(a.ID, tokenstore.ErrRevoked)
	e.dead(b.ID, tokenstore.ErrRevoked)
	e.live(other.ID)
	e.live(others.ID)
}

func testRevokeSubject(e *env) {
	ann, bob := e.subject("ann"), e.subject("bob")
	first, gone, expired := e.session(ann), e.session(ann), e.session(ann, lasting(idle, time.Minute))
	child := e.session(ann, childOf(first.ID))
	others := e.session(bob)
	_, err := e.RevokeSession(e.ctx, gone.ID)
	e.ok(err)
	e.advance(2 * time.Minute)

	got, err := e.RevokeSubject(e.ctx, ann)
	e.ok(err)
	e.sameIDs("revoked", got, ids(first, child, expired))
	e.dead(first.ID, tokenstore.ErrRevoked)
	e.dead(child.ID, tokenstore.ErrRevoked)
	e.live(others.ID)
	got, err = e.RevokeSubject(e.ctx, ann)
	e.ok(err)
	e.sameIDs("revoked again", got, nil)
	got, err = e.RevokeSubject(e.ctx, "nobody")
	e.ok(err)
	e.sameIDs("revoked of nobody", got, nil)
	_, err = e.RevokeSubject(e.ctx, "")
	e.want("RevokeSubject of an empty subject", err, tokenstore.ErrInvalid)
	e.live(others.ID)
	// The subject may sign in again.
	e.live(e.session(ann).ID)
}

func testRevokeAgain(e *env) {
	ann := e.subject("ann")
	lost, known, other := e.session(ann), e.session(ann), e.session(ann)
	// Whoever told of the sign-out may not have known what had come from it.
	child, others := e.session(ann, childOf(lost.ID)), e.session(ann, childOf(other.ID))
	_, err := e.RevokeSession(e.ctx, known.ID)
	e.ok(err)
	e.advance(time.Minute)
	e.unchanged(known.ID, func() {
		e.ok(e.RevokeAgain(e.ctx, append(ids(lost, known), e.id())))
	})
	e.dead(lost.ID, tokenstore.ErrRevoked)
	e.dead(child.ID, tokenstore.ErrRevoked)
	e.live(other.ID)
	e.live(others.ID)
	e.ok(e.RevokeAgain(e.ctx, nil))
	e.ok(e.RevokeAgain(e.ctx, ids(others)))
	e.live(other.ID)
	e.dead(others.ID, tokenstore.ErrRevoked)
}

// testRevokeChildRace: whichever comes first, no child outlives its parent.
func testRevokeChildRace(e *env) {
	ann := e.subject("ann")
	for range e.rounds(200, 30) {
		portal := e.session(ann)
		child := e.newSession(ann)
		child.Parent = portal.ID
		var created, revoked error
		inStep(2, func(i int) {
			if i == 0 {
				_, created = e.node(i).CreateSession(e.ctx, child)
			} else {
				_, revoked = e.node(i).RevokeSession(e.ctx, portal.ID)
			}
		})
		e.ok(revoked)
		if created != nil {
			e.want("CreateSession below a parent being revoked", created, tokenstore.ErrRevoked)
			continue
		}
		e.dead(child.ID, tokenstore.ErrRevoked)
	}
}

// testRevokeDetachedRace: whichever comes first, no session of a subject outlives
// the end of them all, not even one that no parent ends.
func testRevokeDetachedRace(e *env) {
	ann := e.subject("ann")
	for range e.rounds(200, 30) {
		n := e.newSession(ann)
		n.Parent, n.Detached = e.session(ann).ID, true
		var created, revoked error
		inStep(2, func(i int) {
			if i == 0 {
				_, created = e.node(i).CreateSession(e.ctx, n)
			} else {
				_, revoked = e.node(i).RevokeSubject(e.ctx, ann)
			}
		})
		e.ok(revoked)
		if created != nil {
			e.want("CreateSession detached from a parent being revoked", created, tokenstore.ErrRevoked)
			continue
		}
		e.dead(n.ID, tokenstore.ErrRevoked)
	}
}

func testRevokeRace(e *env) {
	ann := e.subject("ann")
	for range e.rounds(50, 10) {
		portal := e.session(ann)
		child := e.session(ann, childOf(portal.ID))
		revoked := make([][]uuid.UUID, 6)
		errs := make([]error, len(revoked))
		inStep(len(revoked), func(i int) {
			switch i % 3 {
			case 0:
				revoked[i], errs[i] = e.node(i).RevokeSession(e.ctx, portal.ID)
			case 1:
				revoked[i], errs[i] = e.node(i).RevokeSession(e.ctx, child.ID)
			case 2:
				revoked[i], errs[i] = e.node(i).RevokeSubject(e.ctx, ann)
			}
		})
		e.ok(errors.Join(errs...))
		var all []uuid.UUID
		for _, ids := range revoked {
			all = append(all, ids...)
		}
		e.sameIDs("revoked by all callers together", all, ids(portal, child))
	}
}
