package storetest

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

var listingTests = []test{
	{name: "live ones of a subject, newest first", run: testListLive},
	{name: "all, for an administrator", run: testListAll},
	{name: "an empty subject is nobody", run: testListEmptySubject},
	{name: "by parent and client", run: testListNarrowed},
	{name: "paged", run: testListPaged},
}

func (e *env) list(q tokenstore.SessionQuery) []uuid.UUID {
	e.Helper()
	list, err := e.ListSessions(e.ctx, q)
	e.ok(err)
	return ids(list...)
}

func testListLive(e *env) {
	ann, bob := e.subject("ann"), e.subject("bob")
	first := e.session(ann)
	e.session(bob)
	second := e.session(ann)
	revoked := e.session(ann)
	e.session(ann, lasting(time.Minute, lifetime))
	e.session(ann, lasting(idle, time.Minute))
	third := e.session(ann)
	_, err := e.RevokeSession(e.ctx, revoked.ID)
	e.ok(err)
	e.advance(2 * time.Minute)

	list, err := e.ListSessions(e.ctx, tokenstore.SessionQuery{Subject: ann})
	e.ok(err)
	e.same("live sessions", ids(list...), ids(third, second, first))
	e.same("first listed", withoutNow(list[0]), withoutNow(third))
	e.near("store's clock", list[0].Now, e.now())
	e.same("sessions of nobody", e.list(tokenstore.SessionQuery{Subject: "nobody"}), []uuid.UUID{})
}

func testListAll(e *env) {
	ann, bob := e.subject("ann"), e.subject("bob")
	live := e.session(ann)
	others := e.session(bob)
	expired := e.session(ann, lasting(idle, time.Minute))
	revoked := e.session(ann)
	_, err := e.RevokeSession(e.ctx, revoked.ID)
	e.ok(err)
	e.advance(2 * time.Minute)
	e.same("everybody's", e.list(tokenstore.SessionQuery{All: true}), ids(revoked, expired, others, live))
	e.same("all of one", e.list(tokenstore.SessionQuery{All: true, Subject: ann}), ids(revoked, expired, live))
}

func testListEmptySubject(e *env) {
	s := e.session(e.subject("ann"))
	for name, q := range map[string]tokenstore.SessionQuery{
		"nothing":    {},
		"a client":   {ClientID: s.ClientID},
		"a parent":   {Parent: s.ID},
		"a position": {Before: e.id()},
	} {
		list, err := e.ListSessions(e.ctx, q)
		e.want("ListSessions of an empty subject with "+name, err, tokenstore.ErrInvalid)
		e.same("its list", ids(list...), []uuid.UUID{})
	}
}

func testListNarrowed(e *env) {
	ann := e.subject("ann")
	portal := e.session(ann)
	toClient := func(client string) func(*tokenstore.NewSession) {
		return func(n *tokenstore.NewSession) { n.ClientID = client }
	}
	a := e.session(ann, childOf(portal.ID), toClient("a"))
	b := e.session(ann, childOf(portal.ID), toClient("b"))
	other := e.session(ann, toClient("a"))
	e.same("children", e.list(tokenstore.SessionQuery{Subject: ann, Parent: portal.ID}), ids(b, a))
	e.same("children, by administrator", e.list(tokenstore.SessionQuery{All: true, Parent: portal.ID}), ids(b, a))
	e.same("client's", e.list(tokenstore.SessionQuery{Subject: ann, ClientID: "a"}), ids(other, a))
	e.same("client's children", e.list(tokenstore.SessionQuery{Subject: ann, ClientID: "a", Parent: portal.ID}), ids(a))
}

func testListPaged(e *env) {
	ann := e.subject("ann")
	var all []tokenstore.Session
	for range 105 {
		all = append(all, e.session(ann))
	}
	want := ids(all...)
	slices.Reverse(want)
	e.same("default page", e.list(tokenstore.SessionQuery{Subject: ann}), want[:100])
	e.same("largest page", e.list(tokenstore.SessionQuery{Subject: ann, Limit: 1000}), want)
	var got []uuid.UUID
	q := tokenstore.SessionQuery{Subject: ann, Limit: 40}
	for range 4 {
		page := e.list(q)
		if len(page) == 0 {
			break
		}
		got = append(got, page...)
		q.Before = page[len(page)-1]
		// What is created meanwhile comes before the first page.
		e.session(ann)
	}
	e.same("all pages", got, want)
	for _, limit := range []int{-1, 1001} {
		_, err := e.ListSessions(e.ctx, tokenstore.SessionQuery{Subject: ann, Limit: limit})
		e.want("ListSessions beyond the page's limits", err, tokenstore.ErrInvalid)
	}
}
