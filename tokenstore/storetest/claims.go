package storetest

import (
	"time"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

var claimsTests = []test{
	{name: "replaced, and nothing else", run: testReplaceClaims},
	{name: "of sessions that ended", run: testReplaceClaimsEnded},
	{name: "longer than documented", run: testReplaceClaimsLong},
}

func testReplaceClaims(e *env) {
	ann := e.subject("ann")
	s, other := e.session(ann), e.session(ann)
	e.advance(time.Minute)
	e.rotate(s, 0)
	before := e.load(s.ID)
	claims := []byte{0, 1, 0xff, '\\', 0}
	e.ok(e.ReplaceClaims(e.ctx, s.ID, claims))
	before.Claims = claims
	e.same("session", withoutNow(e.load(s.ID)), withoutNow(before))
	e.unchanged(other.ID, func() { e.ok(e.ReplaceClaims(e.ctx, s.ID, nil)) })
	e.same("no claims", len(e.load(s.ID).Claims), 0)
	e.rotate(s, 1)
	e.live(s.ID)
}

func testReplaceClaimsEnded(e *env) {
	s := e.session(e.subject("ann"))
	e.want("ReplaceClaims of an unknown session", e.ReplaceClaims(e.ctx, e.id(), []byte("x")), tokenstore.ErrNotFound)
	_, err := e.RevokeSession(e.ctx, s.ID)
	e.ok(err)
	e.unchanged(s.ID, func() {
		e.want("ReplaceClaims of a revoked session", e.ReplaceClaims(e.ctx, s.ID, []byte("x")), tokenstore.ErrNotFound)
	})
}

func testReplaceClaimsLong(e *env) {
	s := e.session(e.subject("ann"))
	e.unchanged(s.ID, func() {
		e.want("ReplaceClaims", e.ReplaceClaims(e.ctx, s.ID, make([]byte, tokenstore.MaxClaims+1)), tokenstore.ErrInvalid)
	})
	e.ok(e.ReplaceClaims(e.ctx, s.ID, make([]byte, tokenstore.MaxClaims)))
}
