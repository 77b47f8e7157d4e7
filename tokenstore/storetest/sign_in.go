package storetest

import (
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

var signInTests = []test{
	{name: "creates subject and session", run: testFirstSignIn},
	{name: "finds the subject again", run: testSecondSignIn},
	{name: "a taken new subject is not given away", run: testSignInTakenSubject},
	{name: "replayed", run: testSignInReplay},
	{name: "a retry takes over what a lost attempt created", run: testSignInRetry},
	{name: "two first sign-ins at once", run: testSignInRace, races: true},
	{name: "one sign-in redeemed by many at once", run: testSignInReplayRace, races: true},
	{name: "below a parent", run: testSignInParent},
}

func testFirstSignIn(e *env) {
	n := e.newSession("somebody else") // filled in by the store
	s, err := e.SignIn(e.ctx, tokenstore.SignIn{Identity: identity("ann"), NewSubject: "sub-ann", Session: n})
	e.ok(err)
	e.same("session's subject", s.Subject, "sub-ann")
	e.same("session's id", s.ID, n.ID)
	e.same("session as read", withoutNow(e.load(n.ID)), withoutNow(s))
	e.live(n.ID)
	found, err := e.FindSubject(e.ctx, identity("ann"))
	e.ok(err)
	e.same("identity's subject", found.ID, "sub-ann")
}

func testSecondSignIn(e *env) {
	id := e.subject("ann")
	s, err := e.SignIn(e.ctx, tokenstore.SignIn{Identity: identity("ann"), NewSubject: "other", Session: e.newSession("")})
	e.ok(err)
	e.same("session's subject", s.Subject, id)
	_, err = e.Subject(e.ctx, "other")
	e.want("Subject that was not needed", err, tokenstore.ErrNotFound)

	none, err := e.SignIn(e.ctx, tokenstore.SignIn{Identity: identity("ann"), NewSubject: "other"})
	e.ok(err)
	e.same("session when none was asked for", none, tokenstore.Session{Subject: id})
}

func testSignInTakenSubject(e *env) {
	id := e.subject("ann")
	if _, err := e.SignIn(e.ctx, tokenstore.SignIn{Identity: identity("mallory"), NewSubject: id}); err == nil {
		e.Error("a new identity was given another's subject")
	}
	_, err := e.FindSubject(e.ctx, identity("mallory"))
	e.want("FindSubject after a refused sign-in", err, tokenstore.ErrNotFound)
}

func testSignInReplay(e *env) {
	in := tokenstore.SignIn{Identity: identity("ann"), NewSubject: "sub-ann", Session: e.newSession("")}
	_, err := e.SignIn(e.ctx, in)
	e.ok(err)
	e.unchanged(in.Session.ID, func() {
		again := in
		again.Session.Scope = "wider"
		_, err := e.SignIn(e.ctx, again)
		e.want("SignIn again", err, tokenstore.ErrExists)
		// Somebody else's replay creates nothing either.
		again.Identity, again.NewSubject = identity("bob"), "sub-bob"
		_, err = e.SignIn(e.ctx, again)
		e.want("SignIn of another with the same id", err, tokenstore.ErrExists)
	})
	_, err = e.FindSubject(e.ctx, identity("bob"))
	e.want("FindSubject after a replay", err, tokenstore.ErrNotFound)
}

func testSignInRetry(e *env) {
	in := tokenstore.SignIn{Identity: identity("ann"), NewSubject: "sub-ann", Session: e.newSession("")}
	in.Session.SecretHash = hash("lost")
	first, err := e.SignIn(e.ctx, in)
	e.ok(err)
	in.NewSubject, in.Session = "sub-other", replacing(in.Session, hash("lost"))
	in.Session.SecretHash = hash("retry")
	got, err := e.SignIn(e.ctx, in)
	e.ok(err)
	e.same("id", got.ID, first.ID)
	e.same("subject", got.Subject, first.Subject)
	e.same("secret", e.load(first.ID).SecretHash, hash("retry"))
	_, err = e.SignIn(e.ctx, in)
	e.want("SignIn once more", err, tokenstore.ErrExists)
}

func testSignInRace(e *env) {
	const callers = 8
	for round := range e.rounds(50, 10) {
		who := identity(named("ann", round))
		sessions := make([]tokenstore.Session, callers)
		errs := make([]error, callers)
		inStep(callers, func(i int) {
			sessions[i], errs[i] = e.node(i).SignIn(e.ctx, tokenstore.SignIn{
				Identity: who, NewSubject: named(who.Subject, i), Session: e.newSession(""),
			})
		})
		e.ok(errors.Join(errs...))
		for i, s := range sessions {
			e.same("subject of each sign-in", s.Subject, sessions[0].Subject)
			if named(who.Subject, i) == s.Subject {
				continue
			}
			_, err := e.Subject(e.ctx, named(who.Subject, i))
			e.want("Subject that lost", err, tokenstore.ErrNotFound)
		}
	}
}

func testSignInReplayRace(e *env) {
	const callers = 8
	for round := range e.rounds(50, 10) {
		in := tokenstore.SignIn{
			Identity: identity(named("ann", round)), NewSubject: named("sub", round), Session: e.newSession(""),
		}
		errs := make([]error, callers)
		inStep(callers, func(i int) { _, errs[i] = e.node(i).SignIn(e.ctx, in) })
		e.oneWon("SignIn", errs, tokenstore.ErrExists)
	}
}

// oneWon reports unless exactly one call had no error, and all others the one
// wanted.
func (e *env) oneWon(doing string, errs []error, lost error) {
	e.Helper()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
			continue
		}
		e.want(doing+" that lost", err, lost)
	}
	if won != 1 {
		e.Errorf("%s succeeded %d times, want once", doing, won)
	}
}

// rounds is how often a race is repeated; less often with -short.
func (e *env) rounds(n, short int) int {
	if testing.Short() {
		return short
	}
	return n
}

func testSignInParent(e *env) {
	id := e.subject("ann")
	parent := e.session(id)
	n := e.newSession("")
	n.Parent = parent.ID
	s, err := e.SignIn(e.ctx, tokenstore.SignIn{Identity: identity("ann"), NewSubject: "x", Session: n})
	e.ok(err)
	e.same("parent", s.Parent, parent.ID)
	_, err = e.RevokeSession(e.ctx, parent.ID)
	e.ok(err)
	n.ID = e.id()
	_, err = e.SignIn(e.ctx, tokenstore.SignIn{Identity: identity("ann"), NewSubject: "x", Session: n})
	e.want("SignIn below a revoked parent", err, tokenstore.ErrRevoked)
	_, err = e.Session(e.ctx, n.ID)
	e.want("Session after a refused sign-in", err, tokenstore.ErrNotFound)
	// A new identity below no parent: nothing of it stays.
	n.Parent = uuid.Must(uuid.NewV7())
	_, err = e.SignIn(e.ctx, tokenstore.SignIn{Identity: identity("new"), NewSubject: "new", Session: n})
	e.want("SignIn below a missing parent", err, tokenstore.ErrRevoked)
	_, err = e.Subject(e.ctx, "new")
	e.want("Subject after a refused sign-in", err, tokenstore.ErrNotFound)
}
