package storetest

import (
	"time"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

var delegationTests = []test{
	{name: "allowed, used, forbidden and forgotten", run: testDelegations},
	{name: "of who is suspended or unknown", run: testDelegationSuspended},
	{name: "used only as it was last said", run: testDelegationChanged},
	{name: "forbidden while it is used", run: testDelegationRace, races: true},
}

func testDelegations(e *env) {
	ann, bob := e.subject("ann"), e.subject("bob")
	at := e.now().Truncate(time.Second)
	one := func(subject, client, provider string) tokenstore.Delegation {
		e.Helper()
		d, err := e.Delegation(e.ctx, subject, client, provider)
		e.ok(err)
		e.same("linked", d.Linked, subject == ann)
		d.Linked = false // a listing does not say
		return d
	}
	list := func(subject string, want ...tokenstore.Delegation) {
		e.Helper()
		got, err := e.Delegations(e.ctx, subject)
		e.ok(err)
		e.same("delegations of "+subject, got, want)
	}
	list(ann)
	for _, issuer := range []string{"https://hub.example", "https://lab.example"} {
		e.ok(e.Link(e.ctx, ann, tokenstore.Identity{Issuer: issuer, Subject: "ann"}))
	}
	none := tokenstore.Delegation{Subject: ann, ClientID: "pilots", Provider: "https://hub.example"}
	e.same("what was never said", one(ann, "pilots", "https://hub.example"), none)

	allowed := none
	allowed.AllowedAt, allowed.Claims = at, []byte{0, 1, 255}
	e.ok(e.SetDelegation(e.ctx, allowed))
	e.same("allowed", one(ann, "pilots", "https://hub.example"), allowed)
	e.same("of another provider", one(ann, "pilots", "https://lab.example").AllowedAt, time.Time{})
	e.same("of somebody else", one(bob, "pilots", "https://hub.example").AllowedAt, time.Time{})

	e.ok(e.UseDelegation(e.ctx, allowed))
	used := one(ann, "pilots", "https://hub.example")
	e.near("time of use", used.UsedAt, e.now())
	forbidden := none
	forbidden.ForbiddenAt = at.Add(time.Hour)
	e.ok(e.SetDelegation(e.ctx, forbidden))
	forbidden.UsedAt = used.UsedAt
	e.same("forbidden", one(ann, "pilots", "https://hub.example"), forbidden)

	// One that only the administrator's policy allows.
	e.ok(e.UseDelegation(e.ctx, tokenstore.Delegation{Subject: ann, ClientID: "Pilots", Provider: "https://hub.example"}))
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
	for _, client := range []string{"pilots", "by policy"} {
		d := tokenstore.Delegation{Subject: ann, ClientID: client, Provider: "https://idp.example"}
		e.want("UseDelegation of who is suspended", e.UseDelegation(e.ctx, d), tokenstore.ErrSuspended)
		d.Subject = "nobody"
		e.want("UseDelegation of nobody", e.UseDelegation(e.ctx, d), tokenstore.ErrNotFound)
	}
	e.ok(e.Suspend(e.ctx, ann, false))
	_, err = e.Delegation(e.ctx, ann, "pilots", "p")
	e.ok(err)
	_, err = e.Delegation(e.ctx, "nobody", "pilots", "p")
	e.want("Delegation of nobody", err, tokenstore.ErrNotFound)
}

// What was read may have changed by the time that it is used: forbidden, allowed anew,
// forgotten, or of an account that is linked no more.
func testDelegationChanged(e *env) {
	ann, at := e.subject("ann"), e.now().Truncate(time.Second)
	other := tokenstore.Identity{Issuer: "https://other.example", Subject: "ann"}
	e.ok(e.Link(e.ctx, ann, other))
	never := tokenstore.Delegation{Subject: ann, ClientID: "pilots", Provider: other.Issuer}
	allowed, forbidden := never, never
	allowed.AllowedAt, allowed.Claims, forbidden.ForbiddenAt = at, []byte("then"), at
	e.want("allowed, and never said", e.UseDelegation(e.ctx, allowed), tokenstore.ErrConflict)
	is := func(what string, want tokenstore.Delegation) {
		e.Helper()
		got, err := e.Delegation(e.ctx, ann, "pilots", other.Issuer)
		e.ok(err)
		want.Linked = got.Linked
		e.same(what, got, want)
	}
	is("never said", never)

	e.ok(e.SetDelegation(e.ctx, forbidden))
	e.want("forbidden since", e.UseDelegation(e.ctx, allowed), tokenstore.ErrConflict)
	e.want("by a policy, and forbidden since", e.UseDelegation(e.ctx, never), tokenstore.ErrConflict)
	e.ok(e.SetDelegationClaims(e.ctx, allowed))
	is("forbidden", forbidden)

	e.ok(e.SetDelegation(e.ctx, allowed))
	earlier := allowed
	earlier.AllowedAt, earlier.Claims = at.Add(-time.Hour), []byte("long ago")
	e.want("allowed anew since", e.UseDelegation(e.ctx, earlier), tokenstore.ErrConflict)
	e.want("by a policy, and allowed since", e.UseDelegation(e.ctx, never), tokenstore.ErrConflict)
	e.ok(e.SetDelegationClaims(e.ctx, earlier))
	is("allowed", allowed)
	allowed.Claims = []byte("now")
	e.ok(e.SetDelegationClaims(e.ctx, allowed))
	is("with who they are now", allowed)

	e.ok(e.Unlink(e.ctx, ann, other))
	got, err := e.Delegation(e.ctx, ann, "pilots", other.Issuer)
	e.ok(err)
	e.same("linked", got.Linked, false)
	e.want("unlinked since", e.UseDelegation(e.ctx, allowed), tokenstore.ErrConflict)
	e.ok(e.DeleteDelegations(e.ctx, ann, other.Issuer))
	e.want("by a policy, and unlinked since", e.UseDelegation(e.ctx, never), tokenstore.ErrConflict)
	is("forgotten", never)
}

// Whoever comes first: what is forbidden stays so.
func testDelegationRace(e *env) {
	ann := e.subject("ann")
	for round := range e.rounds(50, 10) {
		d := tokenstore.Delegation{Subject: ann, ClientID: named("pilots", round), Provider: "https://idp.example"}
		if round%2 == 0 {
			d.AllowedAt = e.now().Truncate(time.Second)
			e.ok(e.SetDelegation(e.ctx, d))
		}
		errs := make([]error, 2)
		inStep(2, func(i int) {
			if i == 0 {
				errs[i] = e.node(i).UseDelegation(e.ctx, d)
				return
			}
			errs[i] = e.node(i).SetDelegation(e.ctx, tokenstore.Delegation{Subject: ann, ClientID: d.ClientID, Provider: d.Provider, ForbiddenAt: e.now()})
		})
		e.ok(errs[1])
		if errs[0] != nil {
			e.want("UseDelegation of one forbidden", errs[0], tokenstore.ErrConflict)
		}
		got, err := e.Delegation(e.ctx, ann, d.ClientID, d.Provider)
		e.ok(err)
		if got.ForbiddenAt.IsZero() || !got.AllowedAt.IsZero() || got.UsedAt.IsZero() != (errs[0] != nil) {
			e.Fatalf("round %d: %+v, %v", round, got, errs[0])
		}
	}
}
