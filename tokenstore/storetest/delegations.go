package storetest

import (
	"time"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

var delegationTests = []test{
	{name: "allowed, used, forbidden and forgotten", run: testDelegations},
	{name: "of who is suspended or unknown", run: testDelegationSuspended},
}

func testDelegations(e *env) {
	ann, bob := e.subject("ann"), e.subject("bob")
	at := e.now().Truncate(time.Second)
	one := func(subject, client, provider string) tokenstore.Delegation {
		e.Helper()
		d, err := e.Delegation(e.ctx, subject, client, provider)
		e.ok(err)
		return d
	}
	list := func(subject string, want ...tokenstore.Delegation) {
		e.Helper()
		got, err := e.Delegations(e.ctx, subject)
		e.ok(err)
		e.same("delegations of "+subject, got, want)
	}
	list(ann)
	none := tokenstore.Delegation{Subject: ann, ClientID: "pilots", Provider: "https://hub.example"}
	e.same("what was never said", one(ann, "pilots", "https://hub.example"), none)

	allowed := none
	allowed.AllowedAt, allowed.Claims = at, []byte{0, 1, 255}
	e.ok(e.SetDelegation(e.ctx, allowed))
	e.same("allowed", one(ann, "pilots", "https://hub.example"), allowed)
	e.same("of another provider", one(ann, "pilots", "https://lab.example").AllowedAt, time.Time{})
	e.same("of somebody else", one(bob, "pilots", "https://hub.example").AllowedAt, time.Time{})

	e.ok(e.UseDelegation(e.ctx, ann, "pilots", "https://hub.example"))
	used := one(ann, "pilots", "https://hub.example")
	e.near("time of use", used.UsedAt, e.now())
	forbidden := none
	forbidden.ForbiddenAt = at.Add(time.Hour)
	e.ok(e.SetDelegation(e.ctx, forbidden))
	forbidden.UsedAt = used.UsedAt
	e.same("forbidden", one(ann, "pilots", "https://hub.example"), forbidden)

	// One that only the administrator's policy allows.
	e.ok(e.UseDelegation(e.ctx, ann, "Pilots", "https://hub.example"))
	policy := one(ann, "Pilots", "https://hub.example")
	e.near("time of use", policy.UsedAt, e.now())
	lab := tokenstore.Delegation{Subject: ann, ClientID: "pilots", Provider: "https://lab.example", AllowedAt: at}
	e.ok(e.SetDelegation(e.ctx, lab))
	list(ann, policy, forbidden, lab)
	list(bob)

	e.ok(e.DeleteDelegations(e.ctx, ann, "https://hub.example"))
	e.ok(e.DeleteDelegations(e.ctx, ann, "https://hub.example"))
	// What is forbidden stays so.
	list(ann, forbidden, lab)
	both := lab
	both.ForbiddenAt = at
	e.want("SetDelegation of both", e.SetDelegation(e.ctx, both), tokenstore.ErrInvalid)
	both.ForbiddenAt, both.Claims = time.Time{}, make([]byte, tokenstore.MaxClaims+1)
	e.want("SetDelegation with too much", e.SetDelegation(e.ctx, both), tokenstore.ErrInvalid)
	list(ann, forbidden, lab)
	// An allowed one goes.
	e.ok(e.DeleteDelegations(e.ctx, ann, "https://lab.example"))
	list(ann, forbidden)
}

func testDelegationSuspended(e *env) {
	ann := e.subject("ann")
	e.ok(e.SetDelegation(e.ctx, tokenstore.Delegation{Subject: ann, ClientID: "pilots", Provider: "p", AllowedAt: e.now()}))
	e.ok(e.Suspend(e.ctx, ann, true))
	_, err := e.Delegation(e.ctx, ann, "pilots", "p")
	e.want("Delegation of who is suspended", err, tokenstore.ErrSuspended)
	e.ok(e.Suspend(e.ctx, ann, false))
	_, err = e.Delegation(e.ctx, ann, "pilots", "p")
	e.ok(err)
	_, err = e.Delegation(e.ctx, "nobody", "pilots", "p")
	e.want("Delegation of nobody", err, tokenstore.ErrNotFound)
}
