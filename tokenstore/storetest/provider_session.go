package storetest

import (
	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

var providerSessionTests = []test{
	{name: "finds the sign-ins that came from it", run: testProviderSession},
	{name: "longer than documented", run: testProviderSessionLong},
}

func testProviderSession(e *env) {
	from := func(name string) func(*tokenstore.NewSession) {
		return func(n *tokenstore.NewSession) { n.ProviderSession = hash(name) }
	}
	ann, bob := e.subject("ann"), e.subject("bob")
	a, b, other := e.session(ann, from("one")), e.session(bob, from("two")), e.session(ann, from("three"))
	none := e.session(ann)
	in, err := e.SignIn(e.ctx, tokenstore.SignIn{Identity: identity("ann"), NewSubject: "unused", Session: func() tokenstore.NewSession {
		n := e.newSession("")
		n.ProviderSession = hash("one")
		return n
	}()})
	e.ok(err)
	e.sameIDs("of one", e.list(tokenstore.SessionQuery{ProviderSession: [][]byte{hash("one")}}), ids(in, a))
	e.sameIDs("of either", e.list(tokenstore.SessionQuery{ProviderSession: [][]byte{hash("two"), hash("one")}}), ids(in, b, a))
	e.sameIDs("of a subject", e.list(tokenstore.SessionQuery{Subject: bob, ProviderSession: [][]byte{hash("two"), hash("one")}}), ids(b))
	e.sameIDs("of none", e.list(tokenstore.SessionQuery{ProviderSession: [][]byte{hash("four"), nil}}), nil)
	_, err = e.RevokeSession(e.ctx, a.ID)
	e.ok(err)
	e.sameIDs("after a revocation", e.list(tokenstore.SessionQuery{ProviderSession: [][]byte{hash("one")}}), ids(in))
	e.live(other.ID)
	e.live(none.ID)
	_, err = e.ListSessions(e.ctx, tokenstore.SessionQuery{ProviderSession: [][]byte{}})
	e.want("nothing asked for", err, tokenstore.ErrInvalid)
}

func testProviderSessionLong(e *env) {
	n := e.newSession(e.subject("ann"))
	n.ProviderSession = make([]byte, tokenstore.MaxProviderSession+1)
	_, err := e.CreateSession(e.ctx, n)
	e.want("CreateSession", err, tokenstore.ErrInvalid)
	n.ProviderSession = n.ProviderSession[1:]
	_, err = e.CreateSession(e.ctx, n)
	e.ok(err)
}
