package storetest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

// longest is the longest session lifetime of the suite.
const longest = 30 * 24 * time.Hour

// Of the sessions that the tests create, unless they say otherwise.
const (
	idle     = time.Hour
	lifetime = 24 * time.Hour
	grace    = 30 * time.Second
)

// env is a store under test and what tests need around it.
type env struct {
	*testing.T
	tokenstore.Store
	peer    tokenstore.Store // another node's, or Store again
	advance func(time.Duration)
	ctx     context.Context
	spread  atomic.Bool // node was called
}

func newEnv(t *testing.T, h Harness, migrate bool) *env {
	t.Helper()
	e := &env{T: t, Store: h.Store, peer: h.Peer, advance: h.Advance, ctx: t.Context()}
	if e.peer == nil {
		e.peer = e.Store
	}
	if !migrate {
		return e
	}
	e.ok(e.Migrate(e.ctx))
	e.ok(e.peer.Migrate(e.ctx))
	_, err := e.Maintain(e.ctx, longest)
	e.ok(err)
	return e
}

// ok fails the test at once when err is not nil.
func (e *env) ok(err error) {
	e.Helper()
	if err != nil {
		e.Fatalf("unexpected error: %v", err)
	}
}

// want reports an error other than the one wanted.
func (e *env) want(doing string, got, want error) {
	e.Helper()
	if !errors.Is(got, want) {
		e.Errorf("%s: got error %v, want %v", doing, got, want)
	}
}

// same reports a difference; a nil slice and an empty one are the same.
func (e *env) same(what string, got, want any) {
	e.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		e.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// near reports a time that is not within a few seconds of the one wanted.
func (e *env) near(what string, got, want time.Time) {
	e.Helper()
	if d := got.Sub(want).Abs(); d > 10*time.Second {
		e.Errorf("%s is %v, want about %v", what, got, want)
	}
}

// id makes a UUIDv7.
func (e *env) id() uuid.UUID {
	e.Helper()
	id, err := uuid.NewV7()
	e.ok(err)
	return id
}

// now is the store's clock.
func (e *env) now() time.Time {
	e.Helper()
	_, now, err := e.Revalidate(e.ctx, nil, nil)
	e.ok(err)
	return now
}

// identity is somebody at a provider.
func identity(name string) tokenstore.Identity {
	return tokenstore.Identity{Issuer: "https://idp.example", Subject: name}
}

// subject creates a subject, and returns its id.
func (e *env) subject(name string) string {
	e.Helper()
	s, err := e.SignIn(e.ctx, tokenstore.SignIn{Identity: identity(name), NewSubject: "sub-" + name})
	e.ok(err)
	return s.Subject
}

func hash(s string) []byte {
	h := sha256.Sum256([]byte(s))
	return h[:]
}

// newSession is a session to be created for a subject.
func (e *env) newSession(subject string) tokenstore.NewSession {
	e.Helper()
	return tokenstore.NewSession{
		ID:         e.id(),
		Subject:    subject,
		ClientID:   "app",
		Scope:      "openid",
		SecretHash: hash("secret"),
		Idle:       idle,
		Lifetime:   lifetime,
	}
}

// session creates a session for a subject, with what change makes of it.
func (e *env) session(subject string, change ...func(*tokenstore.NewSession)) tokenstore.Session {
	e.Helper()
	n := e.newSession(subject)
	for _, f := range change {
		f(&n)
	}
	s, err := e.CreateSession(e.ctx, n)
	e.ok(err)
	return s
}

func childOf(parent uuid.UUID) func(*tokenstore.NewSession) {
	return func(n *tokenstore.NewSession) { n.Parent = parent }
}

func detached(n *tokenstore.NewSession) { n.Detached = true }

func lasting(idle, lifetime time.Duration) func(*tokenstore.NewSession) {
	return func(n *tokenstore.NewSession) { n.Idle, n.Lifetime = idle, lifetime }
}

// load reads a session that must exist.
func (e *env) load(id uuid.UUID) tokenstore.Session {
	e.Helper()
	s, err := e.Session(e.ctx, id)
	e.ok(err)
	return s
}

// live reports a session that is not live.
func (e *env) live(id uuid.UUID) {
	e.Helper()
	if err := e.load(id).Err(); err != nil {
		e.Errorf("session is not live: %v", err)
	}
}

// dead reports a session that is live, or not for the reason wanted.
func (e *env) dead(id uuid.UUID, want error) {
	e.Helper()
	e.want("state of session", e.load(id).Err(), want)
}

// unchanged calls f and reports what it changed in a session's row.
func (e *env) unchanged(id uuid.UUID, f func()) {
	e.Helper()
	before := e.load(id)
	f()
	e.same("session that should not change", withoutNow(e.load(id)), withoutNow(before))
}

// withoutNow leaves out what differs between two looks at the same row.
func withoutNow(s tokenstore.Session) tokenstore.Session {
	s.Now = time.Time{}
	return s
}

// presented is a session's refresh token of a generation, as its rightful
// holder presents it.
func presented(s tokenstore.Session, generation uint32) tokenstore.Rotation {
	return tokenstore.Rotation{
		ID:         s.ID,
		Generation: generation,
		SecretHash: s.SecretHash,
		ClientID:   s.ClientID,
		Cnf:        s.Cnf,
		Grace:      grace,
	}
}

// rotate rotates a generation that must be the current one.
func (e *env) rotate(s tokenstore.Session, generation uint32) tokenstore.RotationResult {
	e.Helper()
	r, err := e.Rotate(e.ctx, presented(s, generation))
	e.ok(err)
	if r.Retry {
		e.Fatalf("rotation of generation %d was a retry", generation)
	}
	return r
}

// ids are the ids of sessions.
func ids(sessions ...tokenstore.Session) []uuid.UUID {
	list := make([]uuid.UUID, len(sessions))
	for i, s := range sessions {
		list[i] = s.ID
	}
	return list
}

// sameIDs reports ids that are not the same set.
func (e *env) sameIDs(what string, got, want []uuid.UUID) {
	e.Helper()
	less := func(a, b uuid.UUID) bool { return a.String() < b.String() }
	if diff := cmp.Diff(want, got, cmpopts.SortSlices(less), cmpopts.EquateEmpty()); diff != "" {
		e.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// node is the store that the i-th of several callers has.
func (e *env) node(i int) tokenstore.Store {
	e.spread.Store(true)
	if (i+i/2)%2 == 0 { // where two kinds alternate, both nodes have both
		return e.Store
	}
	return e.peer
}

// inStep calls f n times at once, as nearly as goroutines can.
func inStep(n int, f func(i int)) {
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			<-start
			f(i)
		})
	}
	ready.Wait()
	close(start)
	done.Wait()
}

func named(prefix string, i int) string { return fmt.Sprintf("%s-%d", prefix, i) }

// isAny reports whether err is one of those wanted.
func isAny(err error, wanted ...error) bool {
	return slices.ContainsFunc(wanted, func(w error) bool { return errors.Is(err, w) })
}
