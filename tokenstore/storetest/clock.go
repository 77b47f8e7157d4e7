package storetest

import (
	"time"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// jump is by how much a clock may be set wrong, or right again.
const jump = 10 * time.Minute

var clockTests = []test{
	{name: "set back ten minutes", run: testClockBack},
	{name: "set forward ten minutes", run: testClockForward},
	{name: "the store's clock judges", run: testStoreClock},
	{name: "set back, provider tokens", run: testClockTokens},
}

// testClockBack: nobody is logged out, nothing revoked comes back.
func testClockBack(e *env) {
	ann := e.subject("ann")
	s, revoked, fresh := e.session(ann), e.session(ann), e.session(ann)
	e.rotate(s, 0)
	_, err := e.RevokeSession(e.ctx, revoked.ID)
	e.ok(err)
	e.advance(-jump)

	e.live(s.ID)
	e.live(fresh.ID)
	e.dead(revoked.ID, tokenstore.ErrRevoked)
	_, err = e.Rotate(e.ctx, presented(revoked, 0))
	e.want("Rotate of a revoked session", err, tokenstore.ErrRevoked)
	e.retry(s, 0, 1) // a holder's retry is still one
	e.rotate(s, 1)
	e.rotate(s, 2)
	_, err = e.Rotate(e.ctx, presented(s, 0))
	e.want("Rotate of an older generation", err, tokenstore.ErrReused)

	// A touch never shortens the idle expiry.
	e.advance(jump)
	e.advance(jump)
	e.state(fresh.ID, fresh.ID)
	before := e.load(fresh.ID).EndsAt()
	e.advance(-jump)
	e.state(fresh.ID, fresh.ID)
	if after := e.load(fresh.ID).EndsAt(); after.Before(before) {
		e.Errorf("a touch moved the end from %v back to %v", before, after)
	}
	e.advance(-jump)
	// What is created now ends by the clock as it is now.
	now := e.session(ann, lasting(5*time.Minute, lifetime))
	e.live(now.ID)
	e.advance(6 * time.Minute)
	e.dead(now.ID, tokenstore.ErrExpired)
	e.advance(jump)
	e.live(fresh.ID)
}

func testClockForward(e *env) {
	ann := e.subject("ann")
	s, portal := e.session(ann), e.session(ann)
	e.rotate(s, 0)
	e.advance(jump)
	e.live(s.ID)
	e.rotate(s, 1)
	e.retry(s, 1, 2)
	e.live(e.session(ann, childOf(portal.ID)).ID)
	e.advance(-jump) // set right again
	e.live(s.ID)
	e.retry(s, 1, 2)
	e.rotate(s, 2)
	r := e.rotate(s, 3)
	e.ok(e.unrotate(r))
	e.rotate(s, 3)
	e.live(s.ID)
}

// testStoreClock: ids and times of the caller, whose clock is wrong, decide
// nothing.
func testStoreClock(e *env) {
	ann := e.subject("ann")
	e.advance(-jump)
	s := e.session(ann, lasting(5*time.Minute, lifetime)) // its id is ten minutes ahead
	e.near("rotated at", s.RotatedAt, s.Now)
	e.advance(4 * time.Minute)
	e.live(s.ID)
	e.advance(2 * time.Minute)
	e.dead(s.ID, tokenstore.ErrExpired)
	e.advance(2 * jump)
	s = e.session(ann, lasting(5*time.Minute, lifetime)) // its id is older than its idle time
	e.live(s.ID)
	e.rotate(s, 0)
}

func testClockTokens(e *env) {
	t := e.store(e.token("a", "openid profile")).Kept
	leased, err := e.LeaseProviderToken(e.ctx, "ann", "p", t.Version, "n1", time.Minute)
	e.ok(err)
	e.enqueue("client", time.Hour)
	e.advance(-jump)
	fresh := e.token("b", "openid")
	fresh.Version = leased.Version
	got, err := e.UpdateProviderToken(e.ctx, fresh)
	e.ok(err)
	if got.Version <= leased.Version {
		e.Errorf("version went from %d to %d while the clock was set back", leased.Version, got.Version)
	}
	kept := e.store(e.token("c", "openid")).Kept
	if kept.Version <= got.Version {
		e.Errorf("version went from %d to %d while the clock was set back", got.Version, kept.Version)
	}
	e.advance(jump)
	e.same("entries due", len(e.take()), 1)
	e.same("stored", e.stored(), kept)
}
