package storetest

import "github.com/gatehouse-auth/gatehouse/tokenstore"

var identityEmailTests = []test{
	{name: "noted, changed, and of who is linked", run: testIdentityEmail},
}

func testIdentityEmail(e *env) {
	has := func(want bool, macs ...[]byte) {
		e.Helper()
		got, err := e.HasIdentityEmail(e.ctx, macs)
		e.ok(err)
		e.same("an identity has the address", got, want)
	}
	ann := e.subject("ann")
	has(false)
	has(false, hash("a"))
	e.ok(e.SetIdentityEmail(e.ctx, identity("ann"), hash("a")))
	e.ok(e.SetIdentityEmail(e.ctx, identity("ann"), hash("a")))
	has(true, hash("a"))
	has(true, hash("z"), hash("a"))
	e.ok(e.SetIdentityEmail(e.ctx, identity("ann"), hash("b")))
	has(false, hash("a"))
	has(true, hash("b"))
	// Of an identity that belongs to nobody, nothing is said.
	e.ok(e.SetIdentityEmail(e.ctx, identity("nobody"), hash("c")))
	has(false, hash("c"))
	e.ok(e.Link(e.ctx, ann, tokenstore.Identity{Issuer: "https://other.example", Subject: "ann"}))
	e.ok(e.Unlink(e.ctx, ann, identity("ann")))
	has(false, hash("b"))

	e.want("SetIdentityEmail without a MAC", e.SetIdentityEmail(e.ctx, identity("ann"), nil), tokenstore.ErrInvalid)
	e.want("SetIdentityEmail with a long one", e.SetIdentityEmail(e.ctx, identity("ann"), make([]byte, tokenstore.MaxHash+1)), tokenstore.ErrInvalid)
	e.want("SetIdentityEmail of no text", e.SetIdentityEmail(e.ctx, identity("\x00"), hash("a")), tokenstore.ErrInvalid)
}
