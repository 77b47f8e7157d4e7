package storetest

import "github.com/gatehouse-auth/gatehouse/tokenstore"

var subjectTests = []test{
	{name: "found by id and identity", run: testFindSubject},
	{name: "identities, oldest first", run: testIdentities},
	{name: "an identity belongs to one subject", run: testLinkTaken},
	{name: "unlinked", run: testUnlink},
	{name: "the last one stays, however many are unlinked at once", run: testUnlinkRace, races: true},
	{name: "suspended and lifted", run: testSuspend},
	{name: "a suspended subject's sessions", run: testSuspendedSessions},
	{name: "linked to two subjects at once", run: testLinkRace, races: true},
	{name: "links of one issuer at once", run: testLinkOneOfAnIssuer, races: true},
}

func testFindSubject(e *env) {
	id := e.subject("ann")
	got, err := e.Subject(e.ctx, id)
	e.ok(err)
	if got.ID != id || got.Suspended() {
		e.Errorf("got subject %+v, want %s, not suspended", got, id)
	}
	e.near("creation", got.CreatedAt, e.now())
	found, err := e.FindSubject(e.ctx, identity("ann"))
	e.ok(err)
	e.same("subject of identity", found, got)

	_, err = e.Subject(e.ctx, "nobody")
	e.want("Subject of an unknown id", err, tokenstore.ErrNotFound)
	_, err = e.FindSubject(e.ctx, identity("nobody"))
	e.want("FindSubject of an unknown identity", err, tokenstore.ErrNotFound)
	// The same subject at another issuer is somebody else.
	_, err = e.FindSubject(e.ctx, tokenstore.Identity{Issuer: "https://other.example", Subject: "ann"})
	e.want("FindSubject at another issuer", err, tokenstore.ErrNotFound)
}

func testIdentities(e *env) {
	id := e.subject("ann")
	// In another order than any sorting would give.
	want := []tokenstore.Identity{identity("ann")}
	for _, issuer := range []string{"https://m.example", "https://z.example", "https://a.example"} {
		link := tokenstore.Identity{Issuer: issuer, Subject: issuer}
		want = append(want, link)
		e.ok(e.Link(e.ctx, id, link))
	}
	e.ok(e.Link(e.ctx, id, want[1])) // twice is no error
	got, err := e.Identities(e.ctx, id)
	e.ok(err)
	e.same("identities", got, want)
	for _, link := range want {
		found, err := e.FindSubject(e.ctx, link)
		e.ok(err)
		e.same("subject of linked identity", found.ID, id)
	}
	got, err = e.Identities(e.ctx, "nobody")
	e.ok(err)
	e.same("identities of nobody", got, []tokenstore.Identity(nil))
}

func testLinkTaken(e *env) {
	ann, bob := e.subject("ann"), e.subject("bob")
	e.want("Link of another's identity", e.Link(e.ctx, bob, identity("ann")), tokenstore.ErrExists)
	found, err := e.FindSubject(e.ctx, identity("ann"))
	e.ok(err)
	e.same("owner", found.ID, ann)
	e.want("Link to nobody", e.Link(e.ctx, "nobody", identity("new")), tokenstore.ErrNotFound)
	_, err = e.FindSubject(e.ctx, identity("new"))
	e.want("FindSubject after a refused Link", err, tokenstore.ErrNotFound)
	e.want("Link of another one of the issuer", e.Link(e.ctx, ann, identity("new")), tokenstore.ErrConflict)
	e.ok(e.Link(e.ctx, ann, identity("ann")))
}

// However many of one issuer are linked at once, a subject has one: there is one token
// of it.
func testLinkOneOfAnIssuer(e *env) {
	for round := range e.rounds(50, 10) {
		ann := e.subject(named("ann", round))
		errs := make([]error, 3)
		inStep(len(errs), func(i int) {
			errs[i] = e.node(i).Link(e.ctx, ann, tokenstore.Identity{Issuer: "https://other.example", Subject: named(named("ann", round), i)})
		})
		got, err := e.Identities(e.ctx, ann)
		e.ok(err)
		if len(got) != 2 {
			e.Fatalf("round %d: %v are linked: %v", round, got, errs)
		}
		refused := 0
		for _, err := range errs {
			if err != nil {
				e.want("losing Link", err, tokenstore.ErrConflict)
				refused++
			}
		}
		e.same("refused", refused, len(errs)-1)
	}
}

func testUnlink(e *env) {
	ann, bob := e.subject("ann"), e.subject("bob")
	second := tokenstore.Identity{Issuer: "https://other.example", Subject: "ann"}
	e.ok(e.Link(e.ctx, ann, second))
	e.want("Unlink of another's identity", e.Unlink(e.ctx, bob, second), tokenstore.ErrNotFound)
	e.ok(e.Unlink(e.ctx, ann, second))
	e.want("Unlink again", e.Unlink(e.ctx, ann, second), tokenstore.ErrNotFound)
	got, err := e.Identities(e.ctx, ann)
	e.ok(err)
	e.same("identities left", got, []tokenstore.Identity{identity("ann")})
	// It is free again.
	e.ok(e.Link(e.ctx, bob, second))
	e.want("Unlink of the last one", e.Unlink(e.ctx, ann, identity("ann")), tokenstore.ErrConflict)
}

// However many are unlinked at once, one stays.
func testUnlinkRace(e *env) {
	for round := range e.rounds(20, 5) {
		ann := e.subject(named("ann", round))
		second := tokenstore.Identity{Issuer: "https://other.example", Subject: named("ann", round)}
		e.ok(e.Link(e.ctx, ann, second))
		errs := make([]error, 2)
		inStep(2, func(i int) {
			errs[i] = e.node(i).Unlink(e.ctx, ann, []tokenstore.Identity{identity(named("ann", round)), second}[i])
		})
		left, err := e.Identities(e.ctx, ann)
		e.ok(err)
		if len(left) != 1 {
			e.Fatalf("%d identities are left: %v", len(left), errs)
		}
		for _, err := range errs {
			if err != nil {
				e.want("Unlink of the last one", err, tokenstore.ErrConflict)
			}
		}
	}
}

func testSuspend(e *env) {
	id := e.subject("ann")
	e.ok(e.Suspend(e.ctx, id, true))
	e.ok(e.Suspend(e.ctx, id, true))
	got, err := e.Subject(e.ctx, id)
	e.ok(err)
	if !got.Suspended() {
		e.Error("subject is not suspended")
	}
	e.near("suspension", got.SuspendedAt, e.now())
	e.ok(e.Suspend(e.ctx, id, false))
	e.ok(e.Suspend(e.ctx, id, false))
	got, err = e.Subject(e.ctx, id)
	e.ok(err)
	if got.Suspended() {
		e.Error("subject is still suspended")
	}
	e.want("Suspend of nobody", e.Suspend(e.ctx, "nobody", true), tokenstore.ErrNotFound)
	e.want("lifting from nobody", e.Suspend(e.ctx, "nobody", false), tokenstore.ErrNotFound)
}

func testSuspendedSessions(e *env) {
	id, other := e.subject("ann"), e.subject("bob")
	s, others := e.session(id), e.session(other)
	e.ok(e.Suspend(e.ctx, id, true))

	e.dead(s.ID, tokenstore.ErrSuspended)
	e.live(others.ID)
	e.unchanged(s.ID, func() {
		_, err := e.Rotate(e.ctx, presented(s, 0))
		e.want("Rotate", err, tokenstore.ErrSuspended)
	})
	_, err := e.CreateSession(e.ctx, e.newSession(id))
	e.want("CreateSession", err, tokenstore.ErrSuspended)
	n := e.newSession("")
	_, err = e.SignIn(e.ctx, tokenstore.SignIn{Identity: identity("ann"), NewSubject: "new", Session: n})
	e.want("SignIn", err, tokenstore.ErrSuspended)
	_, err = e.Session(e.ctx, n.ID)
	e.want("Session after a refused sign-in", err, tokenstore.ErrNotFound)
	_, err = e.SignIn(e.ctx, tokenstore.SignIn{Identity: identity("ann"), NewSubject: "new"})
	e.want("SignIn without a session", err, tokenstore.ErrSuspended)
	states, _, err := e.Revalidate(e.ctx, ids(s), ids(s))
	e.ok(err)
	if len(states) != 1 || !states[0].Suspended {
		e.Errorf("Revalidate gave %+v, want one suspended session", states)
	}
	list, err := e.ListSessions(e.ctx, tokenstore.SessionQuery{Subject: id})
	e.ok(err)
	e.sameIDs("live sessions while suspended", ids(list...), nil)

	// Sessions stay as they are, and go on once it is lifted.
	e.ok(e.Suspend(e.ctx, id, false))
	e.live(s.ID)
	e.rotate(s, 0)
}

func testLinkRace(e *env) {
	for round := range e.rounds(50, 10) {
		owners := []string{e.subject(named("a", round)), e.subject(named("b", round))}
		link := tokenstore.Identity{Issuer: "https://other.example", Subject: named("link", round)}
		errs := make([]error, len(owners))
		inStep(len(owners), func(i int) { errs[i] = e.node(i).Link(e.ctx, owners[i], link) })
		won := -1
		for i, err := range errs {
			if err == nil {
				if won >= 0 {
					e.Fatalf("round %d: both linked the identity", round)
				}
				won = i
				continue
			}
			e.want("losing Link", err, tokenstore.ErrExists)
		}
		if won < 0 {
			e.Fatalf("round %d: nobody linked the identity", round)
		}
		found, err := e.FindSubject(e.ctx, link)
		e.ok(err)
		e.same("owner", found.ID, owners[won])
	}
}
