package storetest

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

var revalidateTests = []test{
	{name: "tells the state of each", run: testRevalidate},
	{name: "tells that claims were replaced", run: testRevalidateClaims},
	{name: "touched ones live on", run: testTouch},
	{name: "touching ends at the absolute expiry", run: testTouchAbsolute},
	{name: "only live ones are touched", run: testTouchDead},
	{name: "many", run: testRevalidateMany},
}

// state is what revalidating one session tells of it.
func (e *env) state(id uuid.UUID, touch ...uuid.UUID) tokenstore.SessionState {
	e.Helper()
	states, _, err := e.Revalidate(e.ctx, []uuid.UUID{id}, touch)
	e.ok(err)
	if len(states) != 1 || states[0].ID != id {
		e.Fatalf("Revalidate gave %+v, want the state of %s", states, id)
	}
	return states[0]
}

func testRevalidate(e *env) {
	ann, bob := e.subject("ann"), e.subject("bob")
	live, suspended, revoked := e.session(ann), e.session(bob), e.session(ann)
	expired := e.session(ann, lasting(idle, time.Minute))
	e.ok(e.Suspend(e.ctx, bob, true))
	_, err := e.RevokeSession(e.ctx, revoked.ID)
	e.ok(err)
	e.advance(2 * time.Minute)

	states, now, err := e.Revalidate(e.ctx, append(ids(live, suspended, revoked, expired), e.id()), nil)
	e.ok(err)
	e.near("store's clock", now, e.load(live.ID).Now)
	want := map[uuid.UUID]tokenstore.SessionState{}
	for _, s := range []tokenstore.Session{live, suspended, revoked, expired} {
		s = e.load(s.ID)
		want[s.ID] = tokenstore.SessionState{
			ID: s.ID, RevokedAt: s.RevokedAt, ExpiresAt: s.ExpiresAt, EndsAt: s.EndsAt(), Suspended: s.Suspended,
			Claims: tokenstore.StampOf(s.Claims),
		}
	}
	got := map[uuid.UUID]tokenstore.SessionState{}
	for _, st := range states {
		got[st.ID] = st
	}
	e.same("states", got, want)
	e.same("number of states", len(states), len(want))
	if got[revoked.ID].RevokedAt.IsZero() || !got[suspended.ID].Suspended || now.Before(got[expired.ID].EndsAt) {
		e.Errorf("states do not tell what ended: %+v", states)
	}

	states, now, err = e.Revalidate(e.ctx, nil, nil)
	e.ok(err)
	if len(states) != 0 || now.IsZero() {
		e.Errorf("Revalidate of nothing gave %v and the clock %v", states, now)
	}
}

func testRevalidateClaims(e *env) {
	ann := e.subject("ann")
	s, other := e.session(ann), e.session(ann)
	first := e.state(other.ID).Claims
	for _, claims := range []string{"", "\x00\xff", "sixteen bytes..\xfe", "sixteen bytes..\xff and more", "another one at last"} {
		e.ok(e.ReplaceClaims(e.ctx, s.ID, []byte(claims)))
		want := tokenstore.StampOf([]byte(claims))
		e.same("stamp of the claims", e.state(s.ID).Claims, want)
		e.same("stamp of the claims, with a touch", e.state(s.ID, s.ID).Claims, want)
	}
	e.same("stamp of another's", e.state(other.ID).Claims, first)
}

func testTouch(e *env) {
	ann := e.subject("ann")
	s, other := e.session(ann), e.session(ann)
	e.advance(50 * time.Minute)
	st := e.state(s.ID)
	if !st.EndsAt.Equal(s.EndsAt()) {
		e.Errorf("looking moved the end from %v to %v", s.EndsAt(), st.EndsAt)
	}
	st = e.state(s.ID, s.ID)
	e.near("end after a touch, as answered", st.EndsAt, e.now().Add(idle))
	got := e.load(s.ID)
	e.near("seen at", got.SeenAt, e.now())
	if !got.RotatedAt.Equal(s.RotatedAt) {
		e.Errorf("touching moved the time of rotation from %v to %v", s.RotatedAt, got.RotatedAt)
	}
	e.advance(20 * time.Minute)
	e.live(s.ID)
	e.dead(other.ID, tokenstore.ErrExpired)
	// It is live to every method.
	e.same("live sessions", e.list(tokenstore.SessionQuery{Subject: ann}), ids(s))
	e.live(e.session(ann, childOf(s.ID)).ID)
	st = e.state(s.ID, s.ID)
	e.near("end after another touch", st.EndsAt, e.now().Add(idle))
	e.advance(50 * time.Minute)
	e.rotate(s, 0)
}

func testTouchAbsolute(e *env) {
	s := e.session(e.subject("ann"), lasting(time.Hour, 90*time.Minute))
	e.advance(50 * time.Minute)
	st := e.state(s.ID, s.ID)
	if !st.EndsAt.Equal(s.ExpiresAt) || !st.ExpiresAt.Equal(s.ExpiresAt) {
		e.Errorf("touched session ends at %v (absolute %v), want %v", st.EndsAt, st.ExpiresAt, s.ExpiresAt)
	}
	e.advance(50 * time.Minute)
	e.dead(s.ID, tokenstore.ErrExpired)
}

func testTouchDead(e *env) {
	ann, bob := e.subject("ann"), e.subject("bob")
	revoked, suspended := e.session(ann), e.session(bob)
	unused := e.session(ann, lasting(time.Minute, lifetime))
	e.ok(e.Suspend(e.ctx, bob, true))
	_, err := e.RevokeSession(e.ctx, revoked.ID)
	e.ok(err)
	e.advance(2 * time.Minute)
	for _, s := range []tokenstore.Session{revoked, suspended, unused} {
		e.unchanged(s.ID, func() { e.state(s.ID, s.ID) })
	}
	_, _, err = e.Revalidate(e.ctx, nil, []uuid.UUID{e.id()})
	e.ok(err)
}

func testRevalidateMany(e *env) {
	ann := e.subject("ann")
	var all []tokenstore.Session
	for range 300 {
		all = append(all, e.session(ann))
	}
	e.advance(50 * time.Minute)
	want := ids(all...)
	states, _, err := e.Revalidate(e.ctx, want, want[:150])
	e.ok(err)
	var got []uuid.UUID
	for _, st := range states {
		got = append(got, st.ID)
		touched := slices.Contains(want[:150], st.ID)
		if moved := st.EndsAt.After(all[0].EndsAt().Add(10 * time.Minute)); moved != touched {
			e.Errorf("session touched: %v, prolonged: %v", touched, moved)
		}
	}
	e.sameIDs("sessions", got, want)
}
