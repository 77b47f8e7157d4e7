package storetest

import (
	"time"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

var leaseTests = []test{
	{name: "one holder at a time", run: testLease},
	{name: "given up", run: testLeaseGivenUp},
	{name: "the token is written back", run: testUpdate},
	{name: "a former owner stays", run: testFormerOwner},
	{name: "a holder whose lease ran out saves its token", run: testLeaseRanOut},
	{name: "a version never returns", run: testVersionNeverReturns},
	{name: "stored anew meanwhile", run: testStoredMeanwhile},
	{name: "taken by many at once", run: testLeaseRace, races: true},
	{name: "written by many at once", run: testUpdateRace, races: true},
}

func testLease(e *env) {
	t := e.store(e.token("a", "openid")).Kept
	lease := func(owner string, version int64) (tokenstore.ProviderToken, error) {
		return e.LeaseProviderToken(e.ctx, "ann", "p", version, owner, time.Minute)
	}
	_, err := e.LeaseProviderToken(e.ctx, "bob", "p", t.Version, "n1", time.Minute)
	e.want("lease of nobody's token", err, tokenstore.ErrNotFound)
	_, err = lease("n1", t.Version+1)
	e.want("lease of another version", err, tokenstore.ErrConflict)

	got, err := lease("n1", t.Version)
	e.ok(err)
	e.same("owner", got.LeaseOwner, "n1")
	e.near("end of lease", got.LeaseUntil, e.now().Add(time.Minute))
	e.same("version", got.Version, t.Version)
	e.same("token", issued(got), issued(t))
	e.same("as read", e.stored(), got)

	_, err = lease("n2", t.Version)
	e.want("lease while another's runs", err, tokenstore.ErrConflict)
	e.same("after a refused lease", e.stored(), got)
	e.advance(50 * time.Second)
	_, err = lease("n1", t.Version)
	e.ok(err)
	e.advance(50 * time.Second)
	_, err = lease("n2", t.Version)
	e.want("lease while another's prolonged one runs", err, tokenstore.ErrConflict)
	e.advance(time.Minute)
	got, err = lease("n2", t.Version)
	e.ok(err)
	e.same("owner after the lease ran out", got.LeaseOwner, "n2")
}

// testLeaseGivenUp: a lease that was given up can be told from one that ran out.
func testLeaseGivenUp(e *env) {
	t := e.store(e.token("a", "openid")).Kept
	lease := func(owner string, d time.Duration) (tokenstore.ProviderToken, error) {
		return e.LeaseProviderToken(e.ctx, "ann", "p", t.Version, owner, d)
	}
	_, err := lease("n1", time.Minute)
	e.ok(err)
	_, err = lease("n2", 0)
	e.want("giving up another's lease", err, tokenstore.ErrConflict)
	got, err := lease("n1", 0)
	e.ok(err)
	e.same("row without a lease", got, t)
	e.same("as read", e.stored(), t)
	_, err = lease("n2", time.Second)
	e.ok(err)
	e.advance(time.Minute)
	e.same("owner of a lease that ran out", e.stored().LeaseOwner, "n2")
}

func testUpdate(e *env) {
	t := e.store(e.token("a", "openid")).Kept
	leased, err := e.LeaseProviderToken(e.ctx, "ann", "p", t.Version, "n1", time.Minute)
	e.ok(err)
	fresh := e.token("b", "openid profile")
	fresh.Version, fresh.KeyID, fresh.ClientID = leased.Version, "k2", "other"
	fresh.LeaseOwner, fresh.LeaseUntil = leased.LeaseOwner, leased.LeaseUntil
	fresh.NeedsReauth, fresh.AccessRevokedAt = true, fresh.IssuedAt
	got, err := e.UpdateProviderToken(e.ctx, fresh)
	e.ok(err)
	e.same("updated", issued(got), issued(fresh))
	if got.Version <= leased.Version {
		e.Errorf("version went from %d to %d", leased.Version, got.Version)
	}
	if got.LeaseOwner != "" || !got.LeaseUntil.IsZero() {
		e.Errorf("lease of %q until %v was not ended", got.LeaseOwner, got.LeaseUntil)
	}
	e.same("as read", e.stored(), got)
	_, err = e.LeaseProviderToken(e.ctx, "ann", "p", got.Version, "n2", time.Minute)
	e.ok(err)

	stale := fresh
	stale.Scope = "lost"
	_, err = e.UpdateProviderToken(e.ctx, stale)
	e.want("UpdateProviderToken of a former version", err, tokenstore.ErrConflict)
	stale.Subject = "bob"
	_, err = e.UpdateProviderToken(e.ctx, stale)
	e.want("UpdateProviderToken of nobody's", err, tokenstore.ErrConflict)
	stale = got
	stale.RefreshToken, stale.AccessToken = nil, nil
	_, err = e.UpdateProviderToken(e.ctx, stale)
	e.want("UpdateProviderToken without any token", err, tokenstore.ErrInvalid)
	e.same("after refusals", issued(e.stored()), issued(got))
	e.noOutbox()
}

// testFormerOwner: a write that is no refresh keeps who did not finish one, and
// stands in nobody's way.
func testFormerOwner(e *env) {
	t := e.store(e.token("a", "openid")).Kept
	leased, err := e.LeaseProviderToken(e.ctx, "ann", "p", t.Version, "n1", time.Minute)
	e.ok(err)
	leased.LeaseOwner, leased.LeaseUntil, leased.KeyID = "lost", time.Time{}, "k2"
	got, err := e.UpdateProviderToken(e.ctx, leased)
	e.ok(err)
	e.same("owner", got.LeaseOwner, "lost")
	e.same("end of lease", got.LeaseUntil, time.Time{})
	e.same("as read", e.stored(), got)
	leased.LeaseOwner = "a\x00"
	_, err = e.UpdateProviderToken(e.ctx, leased)
	e.want("UpdateProviderToken with an owner that no store takes", err, tokenstore.ErrInvalid)
	_, err = e.LeaseProviderToken(e.ctx, "ann", "p", got.Version, "n2", time.Minute)
	e.ok(err)
	e.same("after a sign-in", e.store(e.token("b", "openid")).Kept.LeaseOwner, "")
}

// testLeaseRanOut: the provider rotated the token for a holder that was slow.
// Nobody else wrote, so its token is the only good one.
func testLeaseRanOut(e *env) {
	t := e.store(e.token("a", "openid")).Kept
	slow, err := e.LeaseProviderToken(e.ctx, "ann", "p", t.Version, "slow", time.Second)
	e.ok(err)
	e.advance(time.Minute)
	quick, err := e.LeaseProviderToken(e.ctx, "ann", "p", t.Version, "quick", time.Minute)
	e.ok(err)
	rotated := e.token("b", "openid")
	rotated.Version = slow.Version
	kept, err := e.UpdateProviderToken(e.ctx, rotated)
	e.ok(err)
	quick.NeedsReauth = true // the provider knows the former token no more
	_, err = e.UpdateProviderToken(e.ctx, quick)
	e.want("UpdateProviderToken by the one that lost", err, tokenstore.ErrConflict)
	e.same("stored", e.stored(), kept)
}

func testVersionNeverReturns(e *env) {
	t := e.store(e.token("a", "openid")).Kept
	_, err := e.DeleteProviderTokens(e.ctx, tokenstore.ProviderTokenQuery{Subject: "ann"}, true)
	e.ok(err)
	t.Scope = "stale"
	_, err = e.UpdateProviderToken(e.ctx, t)
	e.want("UpdateProviderToken of a deleted one", err, tokenstore.ErrConflict)
	_, err = e.ProviderToken(e.ctx, "ann", "p")
	e.want("ProviderToken after that", err, tokenstore.ErrNotFound)
	kept := e.store(e.token("b", "openid")).Kept
	_, err = e.UpdateProviderToken(e.ctx, t)
	e.want("UpdateProviderToken of one deleted and stored anew", err, tokenstore.ErrConflict)
	e.same("stored", e.stored(), kept)
}

// testStoredMeanwhile: the user signs in at the provider again while a refresh
// is under way.
func testStoredMeanwhile(e *env) {
	t := e.store(e.token("a", "openid")).Kept
	leased, err := e.LeaseProviderToken(e.ctx, "ann", "p", t.Version, "n1", time.Hour)
	e.ok(err)
	kept := e.store(e.token("b", "openid")).Kept
	_, err = e.UpdateProviderToken(e.ctx, leased)
	e.want("UpdateProviderToken of the former one", err, tokenstore.ErrConflict)
	e.same("stored", e.stored(), kept)
	// The new token is not held back by the former one's lease.
	_, err = e.LeaseProviderToken(e.ctx, "ann", "p", kept.Version, "n2", time.Minute)
	e.ok(err)
}

func testLeaseRace(e *env) {
	t := e.store(e.token("a", "openid")).Kept
	for range e.rounds(50, 10) {
		errs := make([]error, 8)
		inStep(len(errs), func(i int) {
			_, errs[i] = e.node(i).LeaseProviderToken(e.ctx, "ann", "p", t.Version, named("n", i), time.Minute)
		})
		e.oneWon("LeaseProviderToken", errs, tokenstore.ErrConflict)
		e.advance(2 * time.Minute)
	}
}

func testUpdateRace(e *env) {
	t := e.store(e.token("a", "openid")).Kept
	for range e.rounds(50, 10) {
		errs := make([]error, 8)
		inStep(len(errs), func(i int) {
			fresh := t
			fresh.Scope = named("scope", i)
			_, errs[i] = e.node(i).UpdateProviderToken(e.ctx, fresh)
		})
		e.oneWon("UpdateProviderToken", errs, tokenstore.ErrConflict)
		t = e.stored()
		for i, err := range errs {
			if err == nil {
				e.same("scope as stored", t.Scope, named("scope", i))
			}
		}
	}
}
