package storetest

import (
	"time"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

var consentTests = []test{
	{name: "recorded, replaced and withdrawn", run: testConsents},
}

func testConsents(e *env) {
	ann, bob := e.subject("ann"), e.subject("bob")
	at := e.now().Truncate(time.Second)
	set := func(subject, client string, at time.Time, scope ...string) tokenstore.Consent {
		e.Helper()
		c := tokenstore.Consent{Subject: subject, ClientID: client, Scope: scope, At: at}
		e.ok(e.SetConsent(e.ctx, c))
		return c
	}
	list := func(subject string, want ...tokenstore.Consent) {
		e.Helper()
		got, err := e.Consents(e.ctx, subject)
		e.ok(err)
		e.same("consents of "+subject, got, want)
	}
	list(ann)
	set(ann, "zebra", at, "openid")
	upper := set(ann, "Zebra", at)
	apple := set(ann, "apple", at.Add(2*time.Hour), "openid", "e-mail \"quoted\", <and> odd")
	bobs := set(bob, "apple", at, "profile")
	zebra := set(ann, "zebra", at.Add(time.Hour), "profile", "openid")
	list(ann, upper, apple, zebra)
	list(bob, bobs)

	e.ok(e.DeleteConsent(e.ctx, ann, "apple"))
	e.want("DeleteConsent again", e.DeleteConsent(e.ctx, ann, "apple"), tokenstore.ErrNotFound)
	e.want("DeleteConsent of nobody", e.DeleteConsent(e.ctx, "nobody", "apple"), tokenstore.ErrNotFound)
	list(ann, upper, zebra)
	list(bob, bobs)
}
