package storetest

import (
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokenstore"
)

var maintainTests = []test{
	{name: "purges provider tokens by their refresh token only", run: testPurgeTokens},
	{name: "keeps what may still be used or reused", run: testMaintainKeeps},
	{name: "forgets sessions when their month is over", run: testMaintainForgets},
	{name: "remembers the longest lifetime", run: testMaintainRemembers},
	{name: "by many nodes at once", run: testMaintainRace, races: true},
}

// maintain runs a round of maintenance that must not be skipped.
func (e *env) maintain(lifetime time.Duration) tokenstore.MaintenanceReport {
	e.Helper()
	report, err := e.Maintain(e.ctx, lifetime)
	e.ok(err)
	if report.Skipped {
		e.Error("maintenance was skipped, though nobody else is at it")
	}
	if report.MonthsAhead < 3 {
		e.Errorf("%d months are made ahead, want at least 3", report.MonthsAhead)
	}
	return report
}

func testPurgeTokens(e *env) {
	// A dead access token is no reason, as W-B1 of DIRAC's TokenDB has it.
	for name, change := range map[string]func(*tokenstore.ProviderToken){
		"live":           func(*tokenstore.ProviderToken) {},
		"access expired": func(t *tokenstore.ProviderToken) { t.ExpiresAt = t.IssuedAt.Add(time.Minute) },
		"no expiry":      func(t *tokenstore.ProviderToken) { t.ExpiresAt = time.Time{} },
		"revoked":        func(t *tokenstore.ProviderToken) { t.AccessRevokedAt, t.RefreshRevokedAt = t.IssuedAt, t.IssuedAt },
		"refused":        func(t *tokenstore.ProviderToken) { t.NeedsReauth = true },
		"gone":           func(t *tokenstore.ProviderToken) { t.RefreshExpiresAt = t.IssuedAt.Add(time.Minute) },
		"gone, access token live": func(t *tokenstore.ProviderToken) {
			t.RefreshExpiresAt, t.ExpiresAt = t.IssuedAt.Add(time.Minute), t.IssuedAt.Add(48*time.Hour)
		},
	} {
		t := e.token(name, "openid")
		t.Subject = name
		change(&t)
		e.store(t)
	}
	e.same("purged at first", e.maintain(longest).Purged, 0)
	e.advance(time.Hour)
	e.same("purged", e.maintain(longest).Purged, 2)
	left, err := e.ListProviderTokens(e.ctx, tokenstore.ProviderTokenQuery{All: true})
	e.ok(err)
	var names []string
	for _, t := range left {
		names = append(names, t.Subject)
	}
	e.same("left", names, []string{"access expired", "live", "no expiry", "refused", "revoked"})
	// Storing another's does not purge either.
	e.store(e.token("other", "openid"))
	got, err := e.ProviderToken(e.ctx, "access expired", "p")
	e.ok(err)
	e.same("token with a dead access token", got.Subject, "access expired")
}

func testMaintainKeeps(e *env) {
	ann := e.subject("ann")
	live, revoked := e.session(ann, lasting(longest, longest)), e.session(ann)
	expired := e.session(ann, lasting(time.Minute, time.Minute))
	_, err := e.RevokeSession(e.ctx, revoked.ID)
	e.ok(err)
	e.advance(24 * time.Hour)
	e.maintain(longest)
	e.live(live.ID)
	e.dead(revoked.ID, tokenstore.ErrRevoked)
	e.dead(expired.ID, tokenstore.ErrExpired)
	n := e.newSession(ann)
	n.ID = revoked.ID
	_, err = e.CreateSession(e.ctx, n)
	e.want("CreateSession with a kept row's id", err, tokenstore.ErrExists)
}

// The month is the next one, so that it does not matter when the test runs.
func testMaintainForgets(e *env) {
	ann := e.subject("ann")
	start := monthAfter(e.now())
	end := monthAfter(start)
	var sessions []tokenstore.Session
	for _, at := range []time.Time{start.Add(time.Second), start.Add(10 * 24 * time.Hour), end.Add(-time.Second)} {
		e.setClock(at)
		sessions = append(sessions, e.session(ann, lasting(longest, longest), begun(at)))
	}
	// Its sign-in began in the month, and was finished in the next.
	e.setClock(end.Add(10 * time.Minute))
	late := e.session(ann, lasting(longest, longest), begun(end.Add(-time.Second)))

	month := start.Format("2006-01")
	e.setClock(end.Add(longest + 5*time.Minute))
	if report := e.maintain(longest); slices.Contains(report.Dropped, month) {
		e.Errorf("dropped %v before a session of it had ended", report.Dropped)
	}
	for _, s := range sessions {
		e.dead(s.ID, tokenstore.ErrExpired)
	}
	e.live(late.ID)
	e.setClock(end.Add(longest + 2*time.Hour))
	if report := e.maintain(longest); !slices.Contains(report.Dropped, month) {
		e.Errorf("dropped %v, want %s among them", report.Dropped, month)
	}
	for _, s := range append(sessions, late) {
		_, err := e.Session(e.ctx, s.ID)
		e.want("Session of a month that is over", err, tokenstore.ErrNotFound)
	}
	// The subject stays.
	_, err := e.Subject(e.ctx, ann)
	e.ok(err)
}

// monthAfter is the first moment of the next month.
func monthAfter(t time.Time) time.Time {
	t = t.UTC()
	return time.Date(t.Year(), t.Month()+1, 1, 0, 0, 0, 0, time.UTC)
}

// setClock sets the store's clock.
func (e *env) setClock(t time.Time) {
	e.Helper()
	e.advance(t.Sub(e.now()))
}

// begun gives a session an id of a time.
func begun(at time.Time) func(*tokenstore.NewSession) {
	return func(n *tokenstore.NewSession) {
		var ms [8]byte
		binary.BigEndian.PutUint64(ms[:], uint64(at.UnixMilli()))
		copy(n.ID[:6], ms[2:])
	}
}

func testMaintainRemembers(e *env) {
	s := e.session(e.subject("ann"))
	e.maintain(4 * longest)
	e.advance(3 * longest)
	// A configuration with a shorter lifetime does not end what began before.
	e.maintain(time.Hour)
	e.dead(s.ID, tokenstore.ErrExpired)
	e.advance(3 * longest)
	e.maintain(time.Hour)
	_, err := e.Session(e.ctx, s.ID)
	e.want("Session of a month that is over", err, tokenstore.ErrNotFound)
}

func testMaintainRace(e *env) {
	for range e.rounds(10, 3) {
		e.ok(e.RevokeTokenID(e.ctx, e.id().String(), e.now().Add(-time.Minute)))
		reports := make([]tokenstore.MaintenanceReport, 6)
		errs := make([]error, len(reports))
		inStep(len(reports), func(i int) { reports[i], errs[i] = e.node(i).Maintain(e.ctx, longest) })
		e.ok(errors.Join(errs...))
		purged := 0
		for _, r := range reports {
			purged += r.Purged
		}
		e.same("purged by all together", purged, 1)
	}
}
