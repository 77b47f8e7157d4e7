package storetest

import (
	"slices"
	"time"
)

var tokenIDTests = []test{
	{name: "refused until they expire", run: testTokenIDs},
}

func testTokenIDs(e *env) {
	now := e.now()
	ends := map[string]time.Time{"a": now.Add(time.Minute), "b": now.Add(time.Hour), "c": now.Add(time.Hour)}
	list := func(want ...string) {
		e.Helper()
		got, err := e.RevokedTokenIDs(e.ctx)
		e.ok(err)
		var ids []string
		for _, revoked := range got {
			ids = append(ids, revoked.ID)
			e.near("the end of "+revoked.ID, revoked.Until, ends[revoked.ID])
		}
		slices.Sort(ids)
		e.same("revoked token ids", ids, want)
	}
	list()
	e.ok(e.RevokeTokenID(e.ctx, "a", now.Add(time.Minute)))
	e.ok(e.RevokeTokenID(e.ctx, "b", now.Add(time.Hour)))
	e.ok(e.RevokeTokenID(e.ctx, "past", now.Add(-time.Minute)))
	e.ok(e.RevokeTokenID(e.ctx, "c", now.Add(time.Hour)))
	// Revoked twice, an id is refused until the later end.
	e.ok(e.RevokeTokenID(e.ctx, "c", now.Add(time.Minute)))
	e.ok(e.RevokeTokenID(e.ctx, "a", now.Add(time.Minute)))
	list("a", "b", "c")
	e.advance(2 * time.Minute)
	list("b", "c")
	report, err := e.Maintain(e.ctx, longest)
	e.ok(err)
	e.same("purged", report.Purged, 2)
	list("b", "c")
}
